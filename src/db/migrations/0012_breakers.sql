-- Which model of which provider is not asked for a while, since it failed too often in a row: a restart does not forget it.
create table breakers (
  tenant_id uuid not null references tenants,
  provider text not null,
  model text not null,
  -- As the breaker wrote it.
  state jsonb not null,
  changed_at timestamptz(3) not null default now(),
  primary key (tenant_id, provider, model)
);
call raise_wall('breakers');
grant select on breakers to {app};
grant select, insert, update on breakers to {engine};
