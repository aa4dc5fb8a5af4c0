-- Planning: from an idea over questions, requirements, design and tasks to a spec card.

-- What the clarifier asks, beside the text for people.
alter table session_messages add column questions jsonb;

alter table specs
  -- What was planned: requirements, design, tasks. Null of a card that was handed in.
  add column plan jsonb,
  -- Null until the first planning is through.
  alter column card drop not null,
  add constraint a_plan_that_is_complete_has_a_card check (card is not null or status in ('draft', 'executing_planning', 'failed', 'cancelled'));

-- How far the planning of a session has come; none for a session that began with a card.
create table plannings (
  tenant_id uuid not null,
  session_id uuid not null,
  state text not null default 'working' constraint plannings_state check (state in ('working', 'asking', 'stopped', 'done')),
  phase text not null constraint plannings_phase check (phase in ('CLARIFY', 'REQUIREMENTS', 'DESIGN', 'TASKS')),
  -- How often a person was asked.
  rounds int not null default 0,
  -- How often the output of this phase was sent back since it began.
  tries int not null default 0,
  -- Why it has stopped.
  reason text,
  -- The commit that is planned on; null until it is fetched.
  base_sha text,
  object_format text not null default 'sha1' constraint plannings_object_format check (object_format in ('sha1', 'sha256')),
  -- When this phase began: what was queued before it is not waited for. In milliseconds, as a run's own time is.
  begun_at timestamptz(3) not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, session_id),
  foreign key (tenant_id, session_id) references sessions (tenant_id, id),
  constraint what_has_stopped_says_why check (state <> 'stopped' or reason is not null)
);
create index plannings_under_way on plannings (updated_at) where state <> 'stopped';
call raise_wall('plannings');
grant select, insert, update on plannings to {app}, {engine};

-- What a run of planning comes to is written with the end of that run.
grant update on sessions to {engine};
grant insert on session_messages to {engine};
grant insert, update on specs to {engine};
