create table tickets (
  tenant_id uuid not null references tenants,
  id text not null constraint tickets_id check (id ~ '^TKT-[0-9]{3,9}$'),
  -- Orders tickets as they were made; the digits of the id.
  number int not null,
  session_id uuid,
  spec_id uuid,
  project_id uuid not null,
  type text not null constraint tickets_type check (type in ('epic', 'feature', 'task', 'bug')),
  title text not null,
  description text not null default '',
  acceptance_criteria jsonb not null default '[]',
  status text not null constraint tickets_status check (status in
    ('pending', 'blocked', 'ready', 'claimed', 'running', 'verifying', 'merging', 'completed', 'waiting', 'failed', 'cancelled')),
  status_reason text,
  proof text constraint tickets_proof check (proof in ('unproven')),
  parent_id text,
  priority int not null default 0,
  -- Length of the longest chain of tickets that wait for this one: of two with the same priority the longer runs first.
  chain int not null default 0,
  estimate double precision,
  assigned_vm text,
  branch_name text,
  pr_url text,
  attempts int not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, project_id) references projects (tenant_id, id),
  foreign key (tenant_id, session_id) references sessions (tenant_id, id),
  foreign key (tenant_id, spec_id) references specs (tenant_id, id),
  foreign key (tenant_id, parent_id) references tickets (tenant_id, id),
  constraint completed_has_proof check ((status = 'completed' and type <> 'epic') = (proof is not null)),
  constraint epics_are_never_claimed check (type <> 'epic' or status not in ('ready', 'claimed', 'verifying', 'merging'))
);
create index tickets_by_number on tickets (tenant_id, number);
create index tickets_of_parent on tickets (tenant_id, parent_id);
create index tickets_of_spec on tickets (tenant_id, spec_id, number);
create index tickets_ready on tickets (tenant_id, id) where status = 'ready';
create index tickets_in_work on tickets (updated_at) where status in ('claimed', 'running', 'verifying') and type <> 'epic';
-- A start-build that is called twice, or fifty times at once, makes one epic.
create unique index one_epic_a_session on tickets (tenant_id, session_id) where type = 'epic';
call raise_wall('tickets');
grant select, insert, update on tickets to {app}, {engine};

create table ticket_dependencies (
  tenant_id uuid not null,
  ticket_id text not null,
  needs_id text not null,
  primary key (tenant_id, ticket_id, needs_id),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id),
  foreign key (tenant_id, needs_id) references tickets (tenant_id, id),
  constraint needs_another check (ticket_id <> needs_id)
);
create index ticket_dependants on ticket_dependencies (tenant_id, needs_id);
call raise_wall('ticket_dependencies');
grant select, insert, delete on ticket_dependencies to {app};
grant select on ticket_dependencies to {engine};
