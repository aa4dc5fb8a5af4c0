create table projects (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  name text not null,
  repository text,
  agent jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, id),
  unique (tenant_id, name)
);
call raise_wall('projects');
grant select, insert, update on projects to {app};
grant select on projects to {engine};

create table sessions (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  project_id uuid not null,
  description text not null,
  state text not null constraint sessions_state check (state in
    ('input', 'clarifying', 'reviewing', 'approved', 'building', 'completed', 'failed', 'cancelled')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, id),
  foreign key (tenant_id, project_id) references projects (tenant_id, id)
);
create index sessions_of_tenant on sessions (tenant_id, created_at desc);
call raise_wall('sessions');
grant select, insert, update on sessions to {app};
grant select on sessions to {engine};

create table session_messages (
  tenant_id uuid not null,
  session_id uuid not null,
  number int not null,
  author text not null,
  text text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, session_id, number),
  foreign key (tenant_id, session_id) references sessions (tenant_id, id)
);
call raise_wall('session_messages');
grant select, insert on session_messages to {app};
grant select on session_messages to {engine};

create table specs (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  session_id uuid not null,
  project_id uuid not null,
  version int not null default 1,
  name text not null,
  status text not null constraint specs_status check (status in
    ('draft', 'executing_planning', 'planning_complete', 'executing_tasks', 'completed', 'failed', 'cancelled')),
  phase text not null constraint specs_phase check (phase in
    ('EXPLORE', 'REQUIREMENTS', 'DESIGN', 'TASKS', 'SYNC', 'EXECUTE', 'COMPLETE')),
  card jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, id),
  unique (tenant_id, session_id),
  foreign key (tenant_id, session_id) references sessions (tenant_id, id),
  foreign key (tenant_id, project_id) references projects (tenant_id, id)
);
call raise_wall('specs');
grant select, insert, update on specs to {app};
grant select on specs to {engine};
