-- Grows with every claim of every subject: a later holder always has the greater fence.
create sequence run_fences;
grant usage on sequence run_fences to {engine};

create table runs (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  subject_type text not null constraint runs_subject_type check (subject_type in
    ('ticket', 'spec_phase', 'review', 'conflict', 'diagnosis')),
  subject_id text not null,
  attempt int not null,
  state text not null constraint runs_state check (state in
    ('queued', 'leased', 'starting', 'working', 'submitted', 'accepted', 'returned', 'failed', 'lost', 'parked', 'cancelled')),
  -- The order of the queue: priority, then the chain of what waits for it, then age.
  priority int not null default 0,
  chain int not null default 0,
  -- What a worker must be able to do to claim it.
  requires text[] not null default '{}',
  due_at timestamptz not null default now(),
  worker text,
  fence bigint,
  -- SHA-256 of the lease token; kept after the end so that a repeated completion by the same holder is recognised.
  lease_token_hash bytea,
  lease_expires_at timestamptz,
  sandbox text,
  failure_class text,
  failure_message text,
  result jsonb,
  -- In milliseconds: a page of runs ends at one as JavaScript knows it, and the next must not begin past its neighbours.
  created_at timestamptz(3) not null default now(),
  leased_at timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  unique (tenant_id, id),
  constraint a_lease_is_whole check ((state in ('leased', 'starting', 'working')) = (lease_expires_at is not null)),
  constraint a_holder_has_a_fence check (lease_token_hash is null or fence is not null),
  constraint a_final_run_has_its_time check
    ((state in ('accepted', 'returned', 'failed', 'lost', 'cancelled')) = (ended_at is not null)),
  constraint a_failure_has_its_class check ((state = 'failed') = (failure_class is not null))
);
create index runs_queue on runs (tenant_id, priority desc, chain desc, created_at, id) where state = 'queued';
create index runs_expiring on runs (lease_expires_at) where lease_expires_at is not null;
create index runs_of_tenant on runs (tenant_id, created_at desc, id);
create index runs_of_subject on runs (tenant_id, subject_type, subject_id, attempt desc);
create index runs_submitted on runs (leased_at) where state = 'submitted';
create unique index one_live_run_a_subject on runs (tenant_id, subject_type, subject_id)
  where state in ('queued', 'leased', 'starting', 'working', 'submitted', 'parked');
alter table runs set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
call raise_wall('runs');
grant select on runs to {app};
grant select, insert, update on runs to {engine};

-- What a run printed, in chunks by offset: a chunk that is sent twice is stored once.
create table run_logs (
  tenant_id uuid not null,
  run_id uuid not null,
  chunk_offset bigint not null check (chunk_offset >= 0),
  bytes bytea not null,
  at timestamptz not null default now(),
  primary key (tenant_id, run_id, chunk_offset),
  foreign key (tenant_id, run_id) references runs (tenant_id, id)
);
call raise_wall('run_logs');
grant select on run_logs to {app};
grant select, insert on run_logs to {engine};

create table blobs (
  tenant_id uuid not null references tenants,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  size bigint not null,
  kind text not null constraint blobs_kind check (kind in ('bundle')),
  run_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, run_id, sha256),
  foreign key (tenant_id, run_id) references runs (tenant_id, id)
);
call raise_wall('blobs');
grant select on blobs to {app};
grant select, insert on blobs to {engine};
