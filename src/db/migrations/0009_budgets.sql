-- What calls of models cost, and what they may cost.

-- A cap on money, on tokens, or on both, for all that runs within its scope.
create table budgets (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  scope text not null constraint budgets_scope check (scope in ('tenant', 'project', 'spec', 'ticket', 'agent', 'run')),
  -- '' of the tenant itself; '*' for each one of the kind, which gets a row with counters of its own when it is first used.
  scope_id text not null,
  -- The '*' that this one was made from.
  template_id uuid,
  cap_microusd bigint check (cap_microusd >= 0),
  cap_tokens bigint check (cap_tokens >= 0),
  spent_microusd bigint not null default 0,
  spent_tokens bigint not null default 0,
  -- What the calls that are on their way may cost at the most.
  reserved_microusd bigint not null default 0,
  reserved_tokens bigint not null default 0,
  -- The highest that was reached since the cap was set: each is told once.
  level text not null default 'ok' constraint budgets_level check (level in ('ok', 'warned', 'alerted', 'spent')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, id),
  unique (tenant_id, scope, scope_id),
  foreign key (tenant_id, template_id) references budgets (tenant_id, id) on delete cascade,
  constraint a_budget_caps_something check (cap_microusd is not null or cap_tokens is not null),
  constraint the_tenant_has_no_id check ((scope = 'tenant') = (scope_id = '')),
  constraint a_template_counts_nothing check
    (scope_id <> '*' or (template_id is null and spent_microusd + spent_tokens + reserved_microusd + reserved_tokens = 0))
);
create index budgets_of_template on budgets (tenant_id, template_id) where template_id is not null;
-- A counter is updated twice a call, and no index holds it: the new version stays on its page.
alter table budgets set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
call raise_wall('budgets');
grant select, insert, update, delete on budgets to {app};
grant select, insert, update on budgets to {engine};

-- Waits for the reservations and settlements that run, and holds up those that come: they update this table, so they wait for its
-- lock before they look. Whoever makes a budget has then counted each call either as one that is over or as one that is on its way.
create function hold_budgets() returns void
  language plpgsql set search_path = skep, pg_temp as $$
begin
  lock table budgets in share row exclusive mode;
end $$;
revoke execute on function hold_budgets from public;
grant execute on function hold_budgets to {app}, {engine};

-- One row for each call of a model that was granted, whether or not a budget applies.
create table model_calls (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  run_id uuid not null,
  project_id uuid not null,
  spec_id uuid,
  ticket_id text,
  -- Kind of the agent, such as codex; planner for the phases of a spec.
  agent text not null,
  wire text not null,
  provider text not null,
  model text not null,
  -- The answer was recorded: what it costs is shown, and nobody is paid.
  is_recorded boolean not null,
  state text not null default 'reserved' constraint model_calls_state check (state in
    ('reserved', 'completed', 'failed', 'incomplete', 'lost')),
  -- Of the requests that were sent to providers, the last one's answer.
  attempts int not null default 0,
  status int,
  error_class text,
  reserved_microusd bigint not null,
  reserved_tokens bigint not null,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cached_tokens bigint not null default 0,
  cache_write_tokens bigint not null default 0,
  reasoning_tokens bigint not null default 0,
  -- Null where nobody knows the price.
  cost_microusd bigint,
  -- Day of the price, as YYYY-MM-DD; null where there was none when it was reserved.
  price_date text,
  -- What the budgets were charged: as above, but for a call whose end nobody saw the whole of what was reserved.
  charged_microusd bigint not null default 0,
  charged_tokens bigint not null default 0,
  -- The budgets that hold its reservation, and will be charged.
  budget_ids uuid[] not null default '{}',
  first_byte_ms int,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  foreign key (tenant_id, run_id) references runs (tenant_id, id),
  constraint a_call_that_is_over_has_its_time check ((state = 'reserved') = (ended_at is null))
);
create index model_calls_of_tenant on model_calls (tenant_id, started_at);
create index model_calls_of_run on model_calls (tenant_id, run_id);
create index model_calls_of_spec on model_calls (tenant_id, spec_id) where spec_id is not null;
create index model_calls_open on model_calls (started_at) where state = 'reserved';
call raise_wall('model_calls');
-- A budget that a person makes adopts the calls that are on their way.
grant select, update (budget_ids) on model_calls to {app};
grant select, insert, update on model_calls to {engine};
