-- Recovery and dispatch: who works where, what holds claims back, and what a run that broke off leaves to the next attempt.

alter table tickets
  add column files text[] not null default '{}',
  add column observed text[] not null default '{}';
-- Whether any waiting ticket says what it will touch: asked with every claim.
create index tickets_forecast on tickets (tenant_id) where status = 'ready' and (files <> '{}' or observed <> '{}');

alter table projects
  add column collisions text not null default 'hold' constraint projects_collisions check (collisions in ('hold', 'allow')),
  add column labels text[] not null default '{}';

alter table runs
  add column project_id uuid,
  add column agent text,
  add column phase text,
  add column phase_at timestamptz,
  add column health text not null default 'ok' constraint runs_health check (health in ('ok', 'late', 'degraded')),
  add column aged_at timestamptz,
  add column carried boolean not null default false;
update runs r set project_id = coalesce(
  (select t.project_id from tickets t where t.tenant_id = r.tenant_id and t.id = r.ticket_id), (r.task ->> 'projectId')::uuid);
update runs r set agent = (select substring(need from 7) from unnest(r.requires) as need where need like 'agent:%' limit 1);
alter table runs add foreign key (tenant_id, project_id) references projects (tenant_id, id);
create index runs_live on runs (tenant_id, project_id) where lease_expires_at is not null;
create index runs_ended on runs (ended_at) where ended_at is not null;

alter table blobs
  drop constraint blobs_kind,
  add column name text not null default '',
  add constraint blobs_kind check (kind in ('bundle', 'merge', 'rescue', 'artifact')),
  add constraint an_artifact_has_a_name check ((kind = 'artifact') = (name <> '')),
  drop constraint blobs_pkey,
  add primary key (tenant_id, run_id, kind, name, sha256);
-- An artifact that is said again replaces the one of its name.
grant delete on blobs to {engine};

-- The content of blobs, where servers share no folder. Named by its hash, so of no tenant; the rows of blobs say whose it is.
create table blob_chunks (
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  number int not null check (number >= 0),
  bytes bytea not null,
  primary key (sha256, number)
);
alter table blob_chunks alter column bytes set storage external;
alter table blob_chunks enable row level security;
alter table blob_chunks force row level security;
create policy all_tenants on blob_chunks to {engine} using (true) with check (true);
grant select, insert, delete on blob_chunks to {engine};

alter table servers
  add column name text not null default '',
  add column version text not null default '',
  add column url text not null default '',
  add column state text not null default 'active' constraint servers_state check (state in ('active', 'draining'));

-- A worker says every few seconds that it lives. `incarnation` names one process for ever: the same name may come again.
create table workers (
  tenant_id uuid not null references tenants (id),
  name text not null,
  incarnation uuid not null,
  host text not null,
  version text not null,
  slots int not null check (slots > 0),
  capabilities text[] not null default '{}',
  sandbox jsonb not null default '{}',
  state text not null default 'active' constraint workers_state check (state in ('active', 'draining', 'left', 'gone')),
  is_told_to_drain boolean not null default false,
  started_at timestamptz not null default clock_timestamp(),
  beat_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, name)
);
call raise_wall('workers');
create index workers_beating on workers (beat_at) where state in ('active', 'draining');
grant select on workers to {app};
grant select, insert, update, delete on workers to {engine};
grant update (is_told_to_drain) on workers to {app};

-- How many runs of a scope may be held at once.
create table run_limits (
  tenant_id uuid not null references tenants (id),
  scope text not null constraint run_limits_scope check (scope in ('tenant', 'project', 'agent', 'worker')),
  scope_id text not null,
  runs_max int not null check (runs_max >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, scope, scope_id),
  constraint the_tenant_has_no_id check ((scope = 'tenant') = (scope_id = ''))
);
call raise_wall('run_limits');
grant select, insert, update, delete on run_limits to {app};
grant select on run_limits to {engine};

-- Holds back the claims of a tenant when runs fail one after another everywhere, or when a person says so.
create table brakes (
  tenant_id uuid primary key references tenants (id),
  state text not null constraint brakes_state check (state in ('off', 'on', 'trying')),
  reason text not null default '',
  pulled_by text not null default '',
  pulled_at timestamptz not null default clock_timestamp(),
  -- When it is tried whether things work again; null: when a person says so.
  due_at timestamptz,
  -- How often it was pulled in a row: each time it holds longer.
  pulls int not null default 0,
  changed_at timestamptz not null default clock_timestamp()
);
call raise_wall('brakes');
create index brakes_due on brakes (due_at) where state = 'on' and due_at is not null;
-- A person pulls and lifts it too, behind the wall of the tenant.
grant select, insert, update on brakes to {app};
grant select, insert, update on brakes to {engine};

alter table questions drop constraint questions_kind;
alter table questions add constraint questions_kind check (kind in ('budget', 'blocker', 'ask', 'recovery'));
