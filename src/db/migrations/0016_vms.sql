-- Sandboxes as their workers tell of them, a person's word that one be killed, and the least isolation that a project accepts.

alter table projects
  add column isolation text not null default 'namespaces'
    constraint projects_isolation check (isolation in ('none', 'namespaces', 'kernel', 'machine'));

-- What waits or is held already asks for it as what comes after does.
update runs set requires = requires || array['isolation:namespaces']
 where project_id is not null and state in ('queued', 'leased', 'starting', 'working', 'submitted', 'parked');

alter table workers
  add column worth jsonb,
  add column sandboxes jsonb not null default '[]'
    constraint workers_sandboxes check (jsonb_typeof(sandboxes) = 'array' and jsonb_array_length(sandboxes) <= 200);

-- A worker hears of it with its next beat. The id of a sandbox never comes again, so the word can't meet another.
create table sandbox_kills (
  tenant_id uuid not null references tenants (id),
  sandbox_id text not null,
  asked_by text not null,
  asked_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, sandbox_id)
);
call raise_wall('sandbox_kills');
create index sandbox_kills_by_age on sandbox_kills (asked_at);
grant select, insert on sandbox_kills to {app};
grant select, delete on sandbox_kills to {engine};
