-- Templates: named set-ups of agents, in versions; who works on what kind of ticket; what stands in for a model that does not answer.

create table templates (
  tenant_id uuid not null references tenants,
  name text not null constraint templates_name check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  -- The newest; 0 only until the first is there, in the same transaction.
  version int not null default 0 constraint templates_version check (version >= 0),
  -- Nobody can use it any more; its versions stay, since runs name them.
  removed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, name)
);
call raise_wall('templates');
grant select, insert, update on templates to {app};
grant select on templates to {engine};

-- Never changed: a version is whole, with what it has from those that it extends.
create table template_versions (
  tenant_id uuid not null,
  -- name@version
  id text not null,
  name text not null,
  version int not null,
  -- Byte for byte as it was put.
  source text not null,
  description text,
  -- Versions that it extends, the nearest first.
  lineage text[] not null constraint template_versions_lineage check (cardinality(lineage) <= 7),
  agent jsonb not null,
  prompt text not null,
  limits jsonb not null,
  fallback text[] not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, name, version),
  constraint template_versions_id check (id = name || '@' || version),
  foreign key (tenant_id, name) references templates (tenant_id, name)
);
call raise_wall('template_versions');
grant select, insert on template_versions to {app};
grant select on template_versions to {engine};

-- Which template works on which type of ticket, of a project and of all that say nothing themselves.
alter table projects
  add column router jsonb constraint projects_router check (router is null or jsonb_typeof(router) = 'object');
alter table tenants
  add column router jsonb constraint tenants_router check (router is null or jsonb_typeof(router) = 'object');
grant update (router) on tenants to {app};

alter table runs
  -- The version by which it is worked on; null: by the agent of its project.
  add column template text,
  -- The version in whose place that stands, while its model does not answer.
  add column fallback_of text,
  add constraint runs_template foreign key (tenant_id, template) references template_versions (tenant_id, id),
  add constraint a_fallback_has_its_template check (fallback_of is null or template is not null);
create index runs_fallen_back on runs (tenant_id, project_id) where state = 'queued' and fallback_of is not null;

alter table breakers
  -- From then on one call is let through to see; null: all are.
  add column retry_at timestamptz(3);
-- Written by an older server: half a minute after it opened, or now.
update breakers set retry_at = changed_at + interval '30 seconds' where (state #>> '{ownState,value}') = '1';
