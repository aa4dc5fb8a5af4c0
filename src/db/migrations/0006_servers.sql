-- A row per live server with the ids of its job slots: the queue keeps the locks of a dead server for four hours, so the others
-- look here and free them within seconds.
create table servers (
  id uuid primary key,
  job_slots text[] not null default '{}',
  started_at timestamptz not null default now(),
  beat_at timestamptz not null default now()
);
alter table servers enable row level security;
alter table servers force row level security;
create policy all_tenants on servers to {engine} using (true) with check (true);
grant select, insert, update, delete on servers to {engine};
