-- Roles: the owner runs this file; {app} serves requests of one tenant; {engine} claims, sweeps and sequences for all tenants.
-- Every table gets its wall in the statement after it: without a tenant in the session the app role sees no row.

grant usage on schema skep to {app}, {engine};

create function current_tenant() returns uuid
  language sql stable parallel safe
  -- After a SET LOCAL ends on a pooled connection the setting is '' and not NULL.
  return nullif(current_setting('app.tenant', true), '')::uuid;

-- Raises the wall around a table: row-level security also for the owner, one tenant for the app, all tenants for the engine.
create procedure raise_wall(walled regclass, tenant_column name default 'tenant_id')
  language plpgsql as $$
begin
  execute format('alter table %s enable row level security', walled);
  execute format('alter table %s force row level security', walled);
  execute format('create policy one_tenant on %s to {app} using (%I = current_tenant()) with check (%I = current_tenant())',
                 walled, tenant_column, tenant_column);
  execute format('create policy all_tenants on %s to {engine} using (true) with check (true)', walled);
end $$;

create table tenants (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (name <> ''),
  -- The last number given to a ticket: TKT-001 and up, per tenant.
  ticket_count int not null default 0,
  created_at timestamptz not null default now()
);
call raise_wall('tenants', 'id');
grant select, update (ticket_count) on tenants to {app};
grant select, insert on tenants to {engine};

create table tokens (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  name text not null,
  role text not null constraint tokens_role check (role in ('admin', 'member', 'viewer', 'worker')),
  -- SHA-256 of 256 random bits; the secret itself is shown once and never stored.
  secret_hash bytea not null unique,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index tokens_of_tenant on tokens (tenant_id, created_at);
call raise_wall('tokens');
grant select, insert, update (revoked_at) on tokens to {app};
-- Whoever logs in has no tenant yet: the look-up by hash is the engine's.
grant select, insert, update (revoked_at) on tokens to {engine};
