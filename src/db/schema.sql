-- The schema after all migrations, made by `npm run generate`: do not edit. {app} serves requests, {engine} claims and sweeps.

create table blob_chunks (
  sha256 text not null,
  number integer not null,
  bytes bytea not null,
  constraint blob_chunks_pkey PRIMARY KEY (sha256, number),
  constraint blob_chunks_number_check CHECK ((number >= 0)),
  constraint blob_chunks_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text))
);
alter table blob_chunks enable row level security;
alter table blob_chunks force row level security;
create policy all_tenants on blob_chunks to {engine} using (true) with check (true);
grant delete, insert, select on blob_chunks to {engine};

create table blobs (
  tenant_id uuid not null,
  sha256 text not null,
  size bigint not null,
  kind text not null,
  run_id uuid not null,
  created_at timestamp with time zone not null default now(),
  name text not null default ''::text,
  constraint blobs_pkey PRIMARY KEY (tenant_id, run_id, kind, name, sha256),
  constraint an_artifact_has_a_name CHECK (((kind = 'artifact'::text) = (name <> ''::text))),
  constraint blobs_kind CHECK ((kind = ANY (ARRAY['bundle'::text, 'merge'::text, 'rescue'::text, 'artifact'::text]))),
  constraint blobs_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
  constraint blobs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint blobs_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES runs(tenant_id, id)
);
alter table blobs enable row level security;
alter table blobs force row level security;
create policy all_tenants on blobs to {engine} using (true) with check (true);
create policy one_tenant on blobs to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant select on blobs to {app};
grant delete, insert, select on blobs to {engine};

create table brakes (
  tenant_id uuid not null,
  state text not null,
  reason text not null default ''::text,
  pulled_by text not null default ''::text,
  pulled_at timestamp with time zone not null default clock_timestamp(),
  due_at timestamp with time zone,
  pulls integer not null default 0,
  changed_at timestamp with time zone not null default clock_timestamp(),
  constraint brakes_pkey PRIMARY KEY (tenant_id),
  constraint brakes_state CHECK ((state = ANY (ARRAY['off'::text, 'on'::text, 'trying'::text]))),
  constraint brakes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);
CREATE INDEX brakes_due ON brakes USING btree (due_at) WHERE ((state = 'on'::text) AND (due_at IS NOT NULL));
alter table brakes enable row level security;
alter table brakes force row level security;
create policy all_tenants on brakes to {engine} using (true) with check (true);
create policy one_tenant on brakes to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on brakes to {app};
grant insert, select, update on brakes to {engine};

create table breakers (
  tenant_id uuid not null,
  provider text not null,
  model text not null,
  state jsonb not null,
  changed_at timestamp(3) with time zone not null default now(),
  retry_at timestamp(3) with time zone,
  constraint breakers_pkey PRIMARY KEY (tenant_id, provider, model),
  constraint breakers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);
alter table breakers enable row level security;
alter table breakers force row level security;
create policy all_tenants on breakers to {engine} using (true) with check (true);
create policy one_tenant on breakers to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant select on breakers to {app};
grant insert, select, update on breakers to {engine};

create table budgets (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  scope text not null,
  scope_id text not null,
  template_id uuid,
  cap_microusd bigint,
  cap_tokens bigint,
  spent_microusd bigint not null default 0,
  spent_tokens bigint not null default 0,
  reserved_microusd bigint not null default 0,
  reserved_tokens bigint not null default 0,
  level text not null default 'ok'::text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint budgets_pkey PRIMARY KEY (id),
  constraint budgets_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint budgets_tenant_id_scope_scope_id_key UNIQUE (tenant_id, scope, scope_id),
  constraint a_budget_caps_something CHECK (((cap_microusd IS NOT NULL) OR (cap_tokens IS NOT NULL))),
  constraint a_template_counts_nothing CHECK (((scope_id <> '*'::text) OR ((template_id IS NULL) AND ((((spent_microusd + spent_tokens) + reserved_microusd) + reserved_tokens) = 0)))),
  constraint budgets_cap_microusd_check CHECK ((cap_microusd >= 0)),
  constraint budgets_cap_tokens_check CHECK ((cap_tokens >= 0)),
  constraint budgets_level CHECK ((level = ANY (ARRAY['ok'::text, 'warned'::text, 'alerted'::text, 'spent'::text]))),
  constraint budgets_scope CHECK ((scope = ANY (ARRAY['tenant'::text, 'project'::text, 'spec'::text, 'ticket'::text, 'agent'::text, 'run'::text]))),
  constraint the_tenant_has_no_id CHECK (((scope = 'tenant'::text) = (scope_id = ''::text))),
  constraint budgets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint budgets_tenant_id_template_id_fkey FOREIGN KEY (tenant_id, template_id) REFERENCES budgets(tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX budgets_of_template ON budgets USING btree (tenant_id, template_id) WHERE (template_id IS NOT NULL);
alter table budgets set (fillfactor=50, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=500);
alter table budgets enable row level security;
alter table budgets force row level security;
create policy all_tenants on budgets to {engine} using (true) with check (true);
create policy one_tenant on budgets to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant delete, insert, select, update on budgets to {app};
grant insert, select, update on budgets to {engine};

create table changes (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  trunk_id uuid not null,
  ticket_id text not null,
  state text not null,
  approval text not null,
  approved_by text,
  head_sha text not null,
  base_sha text not null,
  review_id uuid not null,
  run_id uuid not null,
  flags jsonb not null default '[]'::jsonb,
  conflict_files jsonb not null default '[]'::jsonb,
  conflict_base_sha text,
  merge_sha text,
  merge_blob text,
  merge_number integer,
  reason text,
  created_at timestamp(3) with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  queued_at timestamp with time zone,
  merged_at timestamp with time zone,
  constraint changes_pkey PRIMARY KEY (id),
  constraint changes_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint changes_tenant_id_ticket_id_key UNIQUE (tenant_id, ticket_id),
  constraint a_merged_change_has_its_commit CHECK (((state = 'merged'::text) = ((merge_sha IS NOT NULL) AND (merged_at IS NOT NULL)))),
  constraint changes_approval CHECK ((approval = ANY (ARRAY['not_needed'::text, 'needed'::text, 'given'::text]))),
  constraint changes_state CHECK ((state = ANY (ARRAY['open'::text, 'queued'::text, 'merging'::text, 'merged'::text, 'conflict'::text, 'closed'::text]))),
  constraint changes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint changes_tenant_id_review_id_fkey FOREIGN KEY (tenant_id, review_id) REFERENCES reviews(tenant_id, id),
  constraint changes_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES runs(tenant_id, id),
  constraint changes_tenant_id_ticket_id_fkey FOREIGN KEY (tenant_id, ticket_id) REFERENCES tickets(tenant_id, id),
  constraint changes_tenant_id_trunk_id_fkey FOREIGN KEY (tenant_id, trunk_id) REFERENCES trunks(tenant_id, id)
);
CREATE INDEX changes_of_trunk ON changes USING btree (tenant_id, trunk_id, created_at DESC);
CREATE INDEX changes_queued ON changes USING btree (tenant_id, trunk_id, queued_at, id) WHERE (state = 'queued'::text);
alter table changes enable row level security;
alter table changes force row level security;
create policy all_tenants on changes to {engine} using (true) with check (true);
create policy one_tenant on changes to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on changes to {app};
grant insert, select, update on changes to {engine};

create table event_sequencer (
  the_only boolean not null default true,
  last_position bigint not null default 0,
  constraint event_sequencer_pkey PRIMARY KEY (the_only),
  constraint event_sequencer_the_only_check CHECK (the_only)
);
alter table event_sequencer enable row level security;
alter table event_sequencer force row level security;
create policy all_tenants on event_sequencer to {engine} using (true) with check (true);
grant select, update on event_sequencer to {engine};

create table events (
  id bigint not null generated always as identity,
  position bigint,
  tenant_id uuid not null,
  type text not null,
  subject_type text not null,
  subject_id text not null,
  actor text not null,
  payload jsonb not null default '{}'::jsonb,
  at timestamp with time zone not null default clock_timestamp()
);
CREATE UNIQUE INDEX events_by_position ON events USING btree ("position") WHERE ("position" IS NOT NULL);
CREATE INDEX events_of_subject ON events USING btree (tenant_id, subject_id, "position") WHERE ("position" IS NOT NULL);
CREATE INDEX events_of_tenant ON events USING btree (tenant_id, "position") WHERE ("position" IS NOT NULL);
CREATE UNIQUE INDEX events_without_position ON events USING btree (id) WHERE ("position" IS NULL);
alter table events enable row level security;
alter table events force row level security;
create policy all_tenants on events to {engine} using (true) with check (true);
create policy one_tenant on events to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select on events to {app};
grant insert, select on events to {engine};
grant update (position) on events to {engine};

create table memories (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  project_id uuid not null,
  run_id uuid,
  kind text not null,
  text text not null,
  sha256 text not null,
  created_at timestamp(3) with time zone not null default now(),
  constraint memories_pkey PRIMARY KEY (id),
  constraint memories_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint memories_tenant_id_project_id_sha256_key UNIQUE (tenant_id, project_id, sha256),
  constraint a_memory_is_short CHECK (((char_length(text) >= 1) AND (char_length(text) <= 2000))),
  constraint memories_kind CHECK ((kind = ANY (ARRAY['error_fix'::text, 'discovery'::text, 'decision'::text, 'warning'::text, 'knowledge'::text]))),
  constraint memories_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint memories_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES projects(tenant_id, id),
  constraint memories_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES runs(tenant_id, id)
);
CREATE INDEX memories_of_project ON memories USING btree (tenant_id, project_id, created_at DESC, id);
alter table memories enable row level security;
alter table memories force row level security;
create policy all_tenants on memories to {engine} using (true) with check (true);
create policy one_tenant on memories to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant delete, select on memories to {app};
grant delete, insert, select on memories to {engine};

create table migrations (
  name text not null,
  sha256 text not null,
  applied_at timestamp with time zone not null default now(),
  constraint migrations_pkey PRIMARY KEY (name)
);

create table model_calls (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  run_id uuid not null,
  project_id uuid not null,
  spec_id uuid,
  ticket_id text,
  agent text not null,
  wire text not null,
  provider text not null,
  model text not null,
  is_recorded boolean not null,
  state text not null default 'reserved'::text,
  attempts integer not null default 0,
  status integer,
  error_class text,
  reserved_microusd bigint not null,
  reserved_tokens bigint not null,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cached_tokens bigint not null default 0,
  cache_write_tokens bigint not null default 0,
  reasoning_tokens bigint not null default 0,
  cost_microusd bigint,
  price_date text,
  charged_microusd bigint not null default 0,
  charged_tokens bigint not null default 0,
  budget_ids uuid[] not null default '{}'::uuid[],
  first_byte_ms integer,
  started_at timestamp with time zone not null default clock_timestamp(),
  ended_at timestamp with time zone,
  constraint model_calls_pkey PRIMARY KEY (id),
  constraint a_call_that_is_over_has_its_time CHECK (((state = 'reserved'::text) = (ended_at IS NULL))),
  constraint model_calls_state CHECK ((state = ANY (ARRAY['reserved'::text, 'completed'::text, 'failed'::text, 'incomplete'::text, 'lost'::text]))),
  constraint model_calls_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint model_calls_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES runs(tenant_id, id)
);
CREATE INDEX model_calls_of_run ON model_calls USING btree (tenant_id, run_id);
CREATE INDEX model_calls_of_spec ON model_calls USING btree (tenant_id, spec_id) WHERE (spec_id IS NOT NULL);
CREATE INDEX model_calls_of_tenant ON model_calls USING btree (tenant_id, started_at);
CREATE INDEX model_calls_open ON model_calls USING btree (started_at) WHERE (state = 'reserved'::text);
alter table model_calls enable row level security;
alter table model_calls force row level security;
create policy all_tenants on model_calls to {engine} using (true) with check (true);
create policy one_tenant on model_calls to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant select on model_calls to {app};
grant insert, select, update on model_calls to {engine};
grant update (budget_ids) on model_calls to {app};

create table plannings (
  tenant_id uuid not null,
  session_id uuid not null,
  state text not null default 'working'::text,
  phase text not null,
  rounds integer not null default 0,
  tries integer not null default 0,
  reason text,
  base_sha text,
  object_format text not null default 'sha1'::text,
  begun_at timestamp(3) with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint plannings_pkey PRIMARY KEY (tenant_id, session_id),
  constraint plannings_object_format CHECK ((object_format = ANY (ARRAY['sha1'::text, 'sha256'::text]))),
  constraint plannings_phase CHECK ((phase = ANY (ARRAY['CLARIFY'::text, 'REQUIREMENTS'::text, 'DESIGN'::text, 'TASKS'::text]))),
  constraint plannings_state CHECK ((state = ANY (ARRAY['working'::text, 'asking'::text, 'stopped'::text, 'done'::text]))),
  constraint what_has_stopped_says_why CHECK (((state <> 'stopped'::text) OR (reason IS NOT NULL))),
  constraint plannings_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES sessions(tenant_id, id)
);
CREATE INDEX plannings_under_way ON plannings USING btree (updated_at) WHERE (state <> 'stopped'::text);
alter table plannings enable row level security;
alter table plannings force row level security;
create policy all_tenants on plannings to {engine} using (true) with check (true);
create policy one_tenant on plannings to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on plannings to {app};
grant insert, select, update on plannings to {engine};

create table projects (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  name text not null,
  repository text,
  agent jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  checks jsonb,
  test_changes text not null default 'ask'::text,
  red_base text not null default 'refuse'::text,
  planner jsonb,
  collisions text not null default 'hold'::text,
  labels text[] not null default '{}'::text[],
  isolation text not null default 'namespaces'::text,
  network jsonb not null default '[]'::jsonb,
  setup jsonb,
  router jsonb,
  constraint projects_pkey PRIMARY KEY (id),
  constraint projects_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint projects_tenant_id_name_key UNIQUE (tenant_id, name),
  constraint projects_collisions CHECK ((collisions = ANY (ARRAY['hold'::text, 'allow'::text]))),
  constraint projects_isolation CHECK ((isolation = ANY (ARRAY['none'::text, 'namespaces'::text, 'kernel'::text, 'machine'::text]))),
  constraint projects_network CHECK (((jsonb_typeof(network) = 'array'::text) AND (jsonb_array_length(network) <= 100))),
  constraint projects_red_base CHECK ((red_base = ANY (ARRAY['refuse'::text, 'leave_out'::text]))),
  constraint projects_router CHECK (((router IS NULL) OR (jsonb_typeof(router) = 'object'::text))),
  constraint projects_setup CHECK (((setup IS NULL) OR ((jsonb_typeof(setup) = 'array'::text) AND ((jsonb_array_length(setup) >= 1) AND (jsonb_array_length(setup) <= 100))))),
  constraint projects_test_changes CHECK ((test_changes = ANY (ARRAY['ask'::text, 'allow'::text]))),
  constraint projects_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);
alter table projects enable row level security;
alter table projects force row level security;
create policy all_tenants on projects to {engine} using (true) with check (true);
create policy one_tenant on projects to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on projects to {app};
grant select on projects to {engine};

create table questions (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  kind text not null,
  state text not null default 'pending'::text,
  subject_type text not null,
  subject_id text not null,
  key text not null default ''::text,
  project_id uuid,
  ticket_id text,
  run_id uuid,
  spec_id uuid,
  text text not null,
  options jsonb not null default '[]'::jsonb,
  default_answer text,
  answer text,
  answered_by text,
  due_at timestamp with time zone,
  created_at timestamp(3) with time zone not null default now(),
  decided_at timestamp with time zone,
  constraint questions_pkey PRIMARY KEY (id),
  constraint questions_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint a_decision_has_its_time CHECK (((state <> 'pending'::text) = (decided_at IS NOT NULL))),
  constraint an_answer_has_its_author CHECK (((state <> 'answered'::text) OR ((answer IS NOT NULL) AND (answered_by IS NOT NULL)))),
  constraint questions_kind CHECK ((kind = ANY (ARRAY['budget'::text, 'blocker'::text, 'ask'::text, 'recovery'::text]))),
  constraint questions_state CHECK ((state = ANY (ARRAY['pending'::text, 'answered'::text, 'expired'::text]))),
  constraint questions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint questions_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES projects(tenant_id, id),
  constraint questions_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES runs(tenant_id, id),
  constraint questions_tenant_id_spec_id_fkey FOREIGN KEY (tenant_id, spec_id) REFERENCES specs(tenant_id, id),
  constraint questions_tenant_id_ticket_id_fkey FOREIGN KEY (tenant_id, ticket_id) REFERENCES tickets(tenant_id, id)
);
CREATE UNIQUE INDEX one_pending_question_a_subject ON questions USING btree (tenant_id, kind, subject_type, subject_id, key) WHERE (state = 'pending'::text);
CREATE INDEX questions_due ON questions USING btree (due_at) WHERE ((state = 'pending'::text) AND (due_at IS NOT NULL));
CREATE INDEX questions_of_subject ON questions USING btree (tenant_id, subject_type, subject_id, created_at DESC);
CREATE INDEX questions_of_tenant ON questions USING btree (tenant_id, created_at DESC, id);
alter table questions enable row level security;
alter table questions force row level security;
create policy all_tenants on questions to {engine} using (true) with check (true);
create policy one_tenant on questions to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on questions to {app};
grant insert, select, update on questions to {engine};

create table result_submissions (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  spec_id uuid not null,
  version integer not null,
  state text not null default 'submitted'::text,
  proof text not null,
  summary text not null,
  evidence jsonb not null,
  criteria jsonb not null,
  submitted_by text not null,
  reason text,
  created_at timestamp with time zone not null default now(),
  decided_at timestamp with time zone,
  constraint result_submissions_pkey PRIMARY KEY (id),
  constraint result_submissions_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint result_submissions_tenant_id_spec_id_version_key UNIQUE (tenant_id, spec_id, version),
  constraint a_decision_has_its_time CHECK (((state <> 'submitted'::text) = (decided_at IS NOT NULL))),
  constraint result_submissions_proof CHECK ((proof = ANY (ARRAY['unproven'::text, 'proven'::text]))),
  constraint result_submissions_state CHECK ((state = ANY (ARRAY['submitted'::text, 'validated'::text, 'rejected'::text]))),
  constraint result_submissions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint result_submissions_tenant_id_spec_id_fkey FOREIGN KEY (tenant_id, spec_id) REFERENCES specs(tenant_id, id)
);
alter table result_submissions enable row level security;
alter table result_submissions force row level security;
create policy all_tenants on result_submissions to {engine} using (true) with check (true);
create policy one_tenant on result_submissions to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select on result_submissions to {app};
grant select on result_submissions to {engine};
grant update (state, reason, decided_at) on result_submissions to {app};

create table reviews (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  kind text not null,
  trunk_id uuid not null,
  ticket_id text,
  run_id uuid,
  round integer not null,
  state text not null default 'pending'::text,
  head_sha text not null,
  base_sha text not null,
  candidate_sha text not null,
  checks jsonb not null default '[]'::jsonb,
  flags jsonb not null default '[]'::jsonb,
  reason text,
  created_at timestamp(3) with time zone not null default now(),
  ended_at timestamp with time zone,
  constraint reviews_pkey PRIMARY KEY (id),
  constraint reviews_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint reviews_tenant_id_trunk_id_run_id_head_sha_base_sha_round_key UNIQUE NULLS NOT DISTINCT (tenant_id, trunk_id, run_id, head_sha, base_sha, round),
  constraint a_base_review_is_of_no_run CHECK ((((kind = 'base'::text) = (run_id IS NULL)) AND ((kind = 'base'::text) = (ticket_id IS NULL)))),
  constraint a_final_review_has_its_time CHECK (((state = ANY (ARRAY['passed'::text, 'needs_work'::text, 'failed'::text, 'inconclusive'::text])) = (ended_at IS NOT NULL))),
  constraint reviews_kind CHECK ((kind = ANY (ARRAY['base'::text, 'submission'::text, 'merge'::text]))),
  constraint reviews_state CHECK ((state = ANY (ARRAY['pending'::text, 'running'::text, 'passed'::text, 'needs_work'::text, 'failed'::text, 'inconclusive'::text]))),
  constraint reviews_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint reviews_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES runs(tenant_id, id),
  constraint reviews_tenant_id_ticket_id_fkey FOREIGN KEY (tenant_id, ticket_id) REFERENCES tickets(tenant_id, id),
  constraint reviews_tenant_id_trunk_id_fkey FOREIGN KEY (tenant_id, trunk_id) REFERENCES trunks(tenant_id, id)
);
CREATE INDEX reviews_of_ticket ON reviews USING btree (tenant_id, ticket_id, created_at DESC);
CREATE INDEX reviews_of_trunk ON reviews USING btree (tenant_id, trunk_id, created_at DESC);
CREATE INDEX reviews_pending ON reviews USING btree (created_at) WHERE (state = 'pending'::text);
alter table reviews enable row level security;
alter table reviews force row level security;
create policy all_tenants on reviews to {engine} using (true) with check (true);
create policy one_tenant on reviews to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant select on reviews to {app};
grant insert, select, update on reviews to {engine};

create table run_limits (
  tenant_id uuid not null,
  scope text not null,
  scope_id text not null,
  runs_max integer not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint run_limits_pkey PRIMARY KEY (tenant_id, scope, scope_id),
  constraint run_limits_runs_max_check CHECK ((runs_max >= 0)),
  constraint run_limits_scope CHECK ((scope = ANY (ARRAY['tenant'::text, 'project'::text, 'agent'::text, 'worker'::text]))),
  constraint the_tenant_has_no_id CHECK (((scope = 'tenant'::text) = (scope_id = ''::text))),
  constraint run_limits_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);
alter table run_limits enable row level security;
alter table run_limits force row level security;
create policy all_tenants on run_limits to {engine} using (true) with check (true);
create policy one_tenant on run_limits to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant delete, insert, select, update on run_limits to {app};
grant select on run_limits to {engine};

create table run_logs (
  tenant_id uuid not null,
  run_id uuid not null,
  chunk_offset bigint not null,
  bytes bytea not null,
  at timestamp with time zone not null default now(),
  constraint run_logs_pkey PRIMARY KEY (tenant_id, run_id, chunk_offset),
  constraint run_logs_chunk_offset_check CHECK ((chunk_offset >= 0)),
  constraint run_logs_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES runs(tenant_id, id)
);
alter table run_logs enable row level security;
alter table run_logs force row level security;
create policy all_tenants on run_logs to {engine} using (true) with check (true);
create policy one_tenant on run_logs to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant select on run_logs to {app};
grant insert, select on run_logs to {engine};

create table runs (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  subject_type text not null,
  subject_id text not null,
  attempt integer not null,
  state text not null,
  priority integer not null default 0,
  chain integer not null default 0,
  requires text[] not null default '{}'::text[],
  due_at timestamp with time zone not null default now(),
  worker text,
  fence bigint,
  lease_token_hash bytea,
  lease_expires_at timestamp with time zone,
  sandbox text,
  failure_class text,
  failure_message text,
  result jsonb,
  created_at timestamp(3) with time zone not null default now(),
  leased_at timestamp with time zone,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  ticket_id text,
  ticket_status text,
  task jsonb,
  feedback jsonb,
  resume_sha text,
  run_token_hash bytea,
  halt jsonb,
  report jsonb,
  resumed boolean not null default false,
  project_id uuid,
  agent text,
  phase text,
  phase_at timestamp with time zone,
  health text not null default 'ok'::text,
  aged_at timestamp with time zone,
  carried boolean not null default false,
  template text,
  fallback_of text,
  retried text,
  constraint runs_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint runs_whole CHECK (is_run_whole(state, subject_type, health, retried, lease_expires_at, ended_at, lease_token_hash, fence, failure_class, template, fallback_of)),
  constraint runs_template FOREIGN KEY (tenant_id, template) REFERENCES template_versions(tenant_id, id),
  constraint runs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint runs_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES projects(tenant_id, id),
  constraint runs_tenant_id_ticket_id_fkey FOREIGN KEY (tenant_id, ticket_id) REFERENCES tickets(tenant_id, id)
);
CREATE UNIQUE INDEX one_live_run_a_subject ON runs USING btree (tenant_id, subject_type, subject_id) WHERE (state = ANY (ARRAY['queued'::text, 'leased'::text, 'starting'::text, 'working'::text, 'submitted'::text, 'parked'::text]));
CREATE INDEX runs_aged ON runs USING btree (tenant_id, project_id, priority DESC, chain DESC, created_at, id) WHERE ((state = 'queued'::text) AND (aged_at IS NOT NULL) AND (subject_type = 'ticket'::text));
CREATE INDEX runs_ageing ON runs USING btree (due_at) WHERE ((state = 'queued'::text) AND (aged_at IS NULL));
CREATE INDEX runs_ended ON runs USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX runs_fallen_back ON runs USING btree (tenant_id, project_id) WHERE ((state = 'queued'::text) AND (fallback_of IS NOT NULL));
CREATE INDEX runs_held ON runs USING btree (tenant_id, project_id) WHERE (state = ANY (ARRAY['leased'::text, 'starting'::text, 'working'::text]));
CREATE INDEX runs_lanes ON runs USING btree (tenant_id, project_id, requires, priority DESC, chain DESC, created_at, id) INCLUDE (due_at, agent, aged_at) WHERE ((state = 'queued'::text) AND (ticket_id IS NOT NULL));
CREATE INDEX runs_of_question ON runs USING btree (tenant_id, ((halt ->> 'questionId'::text))) WHERE (halt IS NOT NULL);
CREATE UNIQUE INDEX runs_of_run_token ON runs USING btree (run_token_hash) WHERE ((state = ANY (ARRAY['leased'::text, 'starting'::text, 'working'::text])) AND (run_token_hash IS NOT NULL));
CREATE INDEX runs_of_subject ON runs USING btree (tenant_id, subject_type, subject_id, attempt DESC);
CREATE INDEX runs_of_tenant ON runs USING btree (tenant_id, created_at DESC, id);
CREATE INDEX runs_of_ticket ON runs USING btree (tenant_id, ticket_id) WHERE ((ticket_id IS NOT NULL) AND (subject_type <> 'ticket'::text));
CREATE INDEX runs_queue ON runs USING btree (tenant_id, priority DESC, chain DESC, created_at, id) WHERE (state = 'queued'::text);
CREATE INDEX runs_queue_of_no_ticket ON runs USING btree (tenant_id, priority DESC, created_at, id) WHERE ((state = 'queued'::text) AND (ticket_id IS NULL));
CREATE INDEX runs_submitted ON runs USING btree (leased_at) WHERE (state = 'submitted'::text);
CREATE TRIGGER wake_claims AFTER UPDATE OF lease_expires_at, state ON runs FOR EACH ROW WHEN ((new.lease_expires_at IS NULL)) EXECUTE FUNCTION wake_claims();
alter table runs set (fillfactor=80, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=500);
alter table runs enable row level security;
alter table runs force row level security;
create policy all_tenants on runs to {engine} using (true) with check (true);
create policy one_tenant on runs to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant select on runs to {app};
grant insert, select, update on runs to {engine};
grant update (retried) on runs to {app};

create table sandbox_kills (
  tenant_id uuid not null,
  sandbox_id text not null,
  asked_by text not null,
  asked_at timestamp with time zone not null default clock_timestamp(),
  constraint sandbox_kills_pkey PRIMARY KEY (tenant_id, sandbox_id),
  constraint sandbox_kills_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);
CREATE INDEX sandbox_kills_by_age ON sandbox_kills USING btree (asked_at);
alter table sandbox_kills enable row level security;
alter table sandbox_kills force row level security;
create policy all_tenants on sandbox_kills to {engine} using (true) with check (true);
create policy one_tenant on sandbox_kills to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select on sandbox_kills to {app};
grant delete, select on sandbox_kills to {engine};

create table servers (
  id uuid not null,
  job_slots text[] not null default '{}'::text[],
  started_at timestamp with time zone not null default now(),
  beat_at timestamp with time zone not null default now(),
  name text not null default ''::text,
  version text not null default ''::text,
  url text not null default ''::text,
  state text not null default 'active'::text,
  constraint servers_pkey PRIMARY KEY (id),
  constraint servers_state CHECK ((state = ANY (ARRAY['active'::text, 'draining'::text])))
);
alter table servers enable row level security;
alter table servers force row level security;
create policy all_tenants on servers to {engine} using (true) with check (true);
grant delete, insert, select, update on servers to {engine};

create table session_messages (
  tenant_id uuid not null,
  session_id uuid not null,
  number integer not null,
  author text not null,
  text text not null,
  created_at timestamp with time zone not null default now(),
  questions jsonb,
  constraint session_messages_pkey PRIMARY KEY (tenant_id, session_id, number),
  constraint session_messages_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES sessions(tenant_id, id)
);
alter table session_messages enable row level security;
alter table session_messages force row level security;
create policy all_tenants on session_messages to {engine} using (true) with check (true);
create policy one_tenant on session_messages to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select on session_messages to {app};
grant insert, select on session_messages to {engine};

create table sessions (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  project_id uuid not null,
  description text not null,
  state text not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint sessions_pkey PRIMARY KEY (id),
  constraint sessions_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint sessions_state CHECK ((state = ANY (ARRAY['input'::text, 'clarifying'::text, 'reviewing'::text, 'approved'::text, 'building'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))),
  constraint sessions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint sessions_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES projects(tenant_id, id)
);
CREATE INDEX sessions_of_tenant ON sessions USING btree (tenant_id, created_at DESC);
alter table sessions enable row level security;
alter table sessions force row level security;
create policy all_tenants on sessions to {engine} using (true) with check (true);
create policy one_tenant on sessions to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on sessions to {app};
grant select, update on sessions to {engine};

create table specs (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  session_id uuid not null,
  project_id uuid not null,
  version integer not null default 1,
  name text not null,
  status text not null,
  phase text not null,
  card jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  on_result_found text not null default 'stop_all'::text,
  plan jsonb,
  constraint specs_pkey PRIMARY KEY (id),
  constraint specs_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint specs_tenant_id_session_id_key UNIQUE (tenant_id, session_id),
  constraint a_plan_that_is_complete_has_a_card CHECK (((card IS NOT NULL) OR (status = ANY (ARRAY['draft'::text, 'executing_planning'::text, 'failed'::text, 'cancelled'::text])))),
  constraint specs_on_result_found CHECK ((on_result_found = ANY (ARRAY['stop_all'::text, 'do_nothing'::text]))),
  constraint specs_phase CHECK ((phase = ANY (ARRAY['EXPLORE'::text, 'REQUIREMENTS'::text, 'DESIGN'::text, 'TASKS'::text, 'SYNC'::text, 'EXECUTE'::text, 'COMPLETE'::text]))),
  constraint specs_status CHECK ((status = ANY (ARRAY['draft'::text, 'executing_planning'::text, 'planning_complete'::text, 'executing_tasks'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))),
  constraint specs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint specs_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES projects(tenant_id, id),
  constraint specs_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES sessions(tenant_id, id)
);
alter table specs enable row level security;
alter table specs force row level security;
create policy all_tenants on specs to {engine} using (true) with check (true);
create policy one_tenant on specs to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on specs to {app};
grant insert, select, update on specs to {engine};

create table template_versions (
  tenant_id uuid not null,
  id text not null,
  name text not null,
  version integer not null,
  source text not null,
  description text,
  lineage text[] not null,
  agent jsonb not null,
  prompt text not null,
  limits jsonb not null,
  fallback text[] not null,
  created_at timestamp with time zone not null default now(),
  tools text[],
  constraint template_versions_pkey PRIMARY KEY (tenant_id, id),
  constraint template_versions_tenant_id_name_version_key UNIQUE (tenant_id, name, version),
  constraint template_versions_id CHECK ((id = ((name || '@'::text) || version))),
  constraint template_versions_lineage CHECK ((cardinality(lineage) <= 7)),
  constraint template_versions_tools_check CHECK ((tools <@ ARRAY['get_context'::text, 'submit_result'::text, 'report_blocker'::text, 'ask_human'::text, 'save_memory'::text])),
  constraint template_versions_tenant_id_name_fkey FOREIGN KEY (tenant_id, name) REFERENCES templates(tenant_id, name)
);
alter table template_versions enable row level security;
alter table template_versions force row level security;
create policy all_tenants on template_versions to {engine} using (true) with check (true);
create policy one_tenant on template_versions to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select on template_versions to {app};
grant select on template_versions to {engine};

create table templates (
  tenant_id uuid not null,
  name text not null,
  version integer not null default 0,
  removed_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint templates_pkey PRIMARY KEY (tenant_id, name),
  constraint templates_name CHECK ((name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'::text)),
  constraint templates_version CHECK ((version >= 0)),
  constraint templates_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);
alter table templates enable row level security;
alter table templates force row level security;
create policy all_tenants on templates to {engine} using (true) with check (true);
create policy one_tenant on templates to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on templates to {app};
grant select on templates to {engine};

create table tenants (
  id uuid not null default gen_random_uuid(),
  name text not null,
  ticket_count integer not null default 0,
  created_at timestamp with time zone not null default now(),
  router jsonb,
  constraint tenants_pkey PRIMARY KEY (id),
  constraint tenants_name_key UNIQUE (name),
  constraint tenants_name_check CHECK ((name <> ''::text)),
  constraint tenants_router CHECK (((router IS NULL) OR (jsonb_typeof(router) = 'object'::text)))
);
alter table tenants enable row level security;
alter table tenants force row level security;
create policy all_tenants on tenants to {engine} using (true) with check (true);
create policy one_tenant on tenants to {app} using ((id = current_tenant())) with check ((id = current_tenant()));
grant select on tenants to {app};
grant insert, select on tenants to {engine};
grant update (ticket_count, router) on tenants to {app};

create table ticket_dependencies (
  tenant_id uuid not null,
  ticket_id text not null,
  needs_id text not null,
  constraint ticket_dependencies_pkey PRIMARY KEY (tenant_id, ticket_id, needs_id),
  constraint needs_another CHECK ((ticket_id <> needs_id)),
  constraint ticket_dependencies_tenant_id_needs_id_fkey FOREIGN KEY (tenant_id, needs_id) REFERENCES tickets(tenant_id, id),
  constraint ticket_dependencies_tenant_id_ticket_id_fkey FOREIGN KEY (tenant_id, ticket_id) REFERENCES tickets(tenant_id, id)
);
CREATE INDEX ticket_dependants ON ticket_dependencies USING btree (tenant_id, needs_id);
alter table ticket_dependencies enable row level security;
alter table ticket_dependencies force row level security;
create policy all_tenants on ticket_dependencies to {engine} using (true) with check (true);
create policy one_tenant on ticket_dependencies to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant delete, insert, select on ticket_dependencies to {app};
grant select on ticket_dependencies to {engine};

create table tickets (
  tenant_id uuid not null,
  id text not null,
  number integer not null,
  session_id uuid,
  spec_id uuid,
  project_id uuid not null,
  type text not null,
  title text not null,
  description text not null default ''::text,
  acceptance_criteria jsonb not null default '[]'::jsonb,
  status text not null,
  status_reason text,
  proof text,
  parent_id text,
  priority integer not null default 0,
  chain integer not null default 0,
  estimate double precision,
  assigned_vm text,
  branch_name text,
  pr_url text,
  attempts integer not null default 0,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  files text[] not null default '{}'::text[],
  observed text[] not null default '{}'::text[],
  constraint tickets_pkey PRIMARY KEY (tenant_id, id),
  constraint tickets_whole CHECK (is_ticket_whole(id, type, status, proof)),
  constraint tickets_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint tickets_tenant_id_parent_id_fkey FOREIGN KEY (tenant_id, parent_id) REFERENCES tickets(tenant_id, id),
  constraint tickets_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES projects(tenant_id, id),
  constraint tickets_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES sessions(tenant_id, id),
  constraint tickets_tenant_id_spec_id_fkey FOREIGN KEY (tenant_id, spec_id) REFERENCES specs(tenant_id, id)
);
CREATE UNIQUE INDEX one_epic_a_session ON tickets USING btree (tenant_id, session_id) WHERE (type = 'epic'::text);
CREATE INDEX tickets_by_number ON tickets USING btree (tenant_id, number);
CREATE INDEX tickets_forecast ON tickets USING btree (tenant_id) WHERE ((status = 'ready'::text) AND ((files <> '{}'::text[]) OR (observed <> '{}'::text[])));
CREATE INDEX tickets_in_work ON tickets USING btree (updated_at) WHERE ((status = ANY (ARRAY['claimed'::text, 'running'::text, 'verifying'::text])) AND (type <> 'epic'::text));
CREATE INDEX tickets_of_parent ON tickets USING btree (tenant_id, parent_id, status) WHERE (parent_id IS NOT NULL);
CREATE INDEX tickets_of_spec ON tickets USING btree (tenant_id, spec_id, number) WHERE (spec_id IS NOT NULL);
CREATE INDEX tickets_ready ON tickets USING btree (tenant_id, id) WHERE (status = 'ready'::text);
CREATE INDEX tickets_waiting ON tickets USING btree (tenant_id) WHERE (status = 'waiting'::text);
alter table tickets set (fillfactor=80, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=500);
alter table tickets enable row level security;
alter table tickets force row level security;
create policy all_tenants on tickets to {engine} using (true) with check (true);
create policy one_tenant on tickets to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on tickets to {app};
grant insert, select, update on tickets to {engine};

create table tokens (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  name text not null,
  role text not null,
  secret_hash bytea not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  constraint tokens_pkey PRIMARY KEY (id),
  constraint tokens_secret_hash_key UNIQUE (secret_hash),
  constraint tokens_role CHECK ((role = ANY (ARRAY['admin'::text, 'member'::text, 'viewer'::text, 'worker'::text]))),
  constraint tokens_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);
CREATE INDEX tokens_of_tenant ON tokens USING btree (tenant_id, created_at);
alter table tokens enable row level security;
alter table tokens force row level security;
create policy all_tenants on tokens to {engine} using (true) with check (true);
create policy one_tenant on tokens to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select on tokens to {app};
grant insert, select on tokens to {engine};
grant update (revoked_at) on tokens to {app};
grant update (revoked_at) on tokens to {engine};

create table transcript_events (
  tenant_id uuid not null,
  run_id uuid not null,
  seq integer not null,
  chunk_end bigint not null,
  type text not null,
  at timestamp(3) with time zone not null,
  body jsonb not null,
  constraint transcript_events_pkey PRIMARY KEY (tenant_id, run_id, seq),
  constraint transcript_events_chunk_end_check CHECK ((chunk_end > 0)),
  constraint transcript_events_seq_check CHECK ((seq > 0)),
  constraint transcript_events_type CHECK ((type = ANY (ARRAY['message'::text, 'thought'::text, 'tool_call'::text, 'tool_result'::text, 'file_change'::text, 'usage'::text, 'cut'::text]))),
  constraint transcript_events_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES runs(tenant_id, id)
);
alter table transcript_events enable row level security;
alter table transcript_events force row level security;
create policy all_tenants on transcript_events to {engine} using (true) with check (true);
create policy one_tenant on transcript_events to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant select on transcript_events to {app};
grant insert, select on transcript_events to {engine};

create table trunks (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  project_id uuid not null,
  spec_id uuid,
  branch text not null,
  state text not null default 'preparing'::text,
  reason text,
  hint text,
  red_base text not null,
  object_format text not null default 'sha1'::text,
  base_sha text,
  head_sha text,
  merging_id uuid,
  merge_count integer not null default 0,
  published_sha text,
  publish_error text,
  publish_attempts integer not null default 0,
  publish_due_at timestamp with time zone,
  checks jsonb not null default '[]'::jsonb,
  notes jsonb not null default '[]'::jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint trunks_pkey PRIMARY KEY (id),
  constraint trunks_tenant_id_id_key UNIQUE (tenant_id, id),
  constraint trunks_tenant_id_project_id_branch_key UNIQUE (tenant_id, project_id, branch),
  constraint trunks_tenant_id_project_id_spec_id_key UNIQUE NULLS NOT DISTINCT (tenant_id, project_id, spec_id),
  constraint a_usable_trunk_has_a_head CHECK (((state = ANY (ARRAY['preparing'::text, 'refused'::text])) OR ((base_sha IS NOT NULL) AND (head_sha IS NOT NULL)))),
  constraint trunks_object_format CHECK ((object_format = ANY (ARRAY['sha1'::text, 'sha256'::text]))),
  constraint trunks_red_base CHECK ((red_base = ANY (ARRAY['refuse'::text, 'leave_out'::text]))),
  constraint trunks_state CHECK ((state = ANY (ARRAY['preparing'::text, 'checking'::text, 'ready'::text, 'refused'::text]))),
  constraint trunks_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
  constraint trunks_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES projects(tenant_id, id),
  constraint trunks_tenant_id_spec_id_fkey FOREIGN KEY (tenant_id, spec_id) REFERENCES specs(tenant_id, id)
);
CREATE INDEX trunks_preparing ON trunks USING btree (updated_at) WHERE (state = 'preparing'::text);
CREATE INDEX trunks_to_publish ON trunks USING btree (publish_due_at) WHERE (publish_due_at IS NOT NULL);
alter table trunks enable row level security;
alter table trunks force row level security;
create policy all_tenants on trunks to {engine} using (true) with check (true);
create policy one_tenant on trunks to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant insert, select, update on trunks to {app};
grant insert, select, update on trunks to {engine};

create table workers (
  tenant_id uuid not null,
  name text not null,
  incarnation uuid not null,
  host text not null,
  version text not null,
  slots integer not null,
  capabilities text[] not null default '{}'::text[],
  sandbox jsonb not null default '{}'::jsonb,
  state text not null default 'active'::text,
  is_told_to_drain boolean not null default false,
  started_at timestamp with time zone not null default clock_timestamp(),
  beat_at timestamp with time zone not null default clock_timestamp(),
  worth jsonb,
  sandboxes jsonb not null default '[]'::jsonb,
  constraint workers_pkey PRIMARY KEY (tenant_id, name),
  constraint workers_sandboxes CHECK (((jsonb_typeof(sandboxes) = 'array'::text) AND (jsonb_array_length(sandboxes) <= 200))),
  constraint workers_slots_check CHECK ((slots > 0)),
  constraint workers_state CHECK ((state = ANY (ARRAY['active'::text, 'draining'::text, 'left'::text, 'gone'::text]))),
  constraint workers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
);
CREATE INDEX workers_beating ON workers USING btree (beat_at) WHERE (state = ANY (ARRAY['active'::text, 'draining'::text]));
alter table workers enable row level security;
alter table workers force row level security;
create policy all_tenants on workers to {engine} using (true) with check (true);
create policy one_tenant on workers to {app} using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
grant select on workers to {app};
grant delete, insert, select, update on workers to {engine};
grant update (is_told_to_drain) on workers to {app};

create sequence run_fences;
grant usage on sequence run_fences to {engine};

CREATE OR REPLACE FUNCTION skep.claim_bars(for_tenant uuid, for_worker text, OUT is_shut boolean, OUT projects uuid[], OUT agents text[], OUT busy jsonb, OUT aged uuid[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'skep', 'pg_temp'
AS $function$
declare
  first record;
  reserved text[] := '{}';
begin
  is_shut := false;
  projects := '{}';
  agents := '{}';
  busy := '{}';
  aged := '{}';
  if not exists (select from brakes b where b.tenant_id = for_tenant and b.state <> 'off')
     and not exists (select from run_limits l where l.tenant_id = for_tenant)
     and not exists (select from tickets t where t.tenant_id = for_tenant and t.status = 'ready' and (t.files <> '{}' or t.observed <> '{}'))
  then
    return;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('skep claims ' || for_tenant, 0));

  select exists (
    select from brakes b where b.tenant_id = for_tenant
       and (b.state = 'on' or (b.state = 'trying'
            and exists (select from runs r where r.tenant_id = for_tenant and r.state in ('leased', 'starting', 'working') and r.leased_at >= b.changed_at))))
    or exists (
    select from run_limits l where l.tenant_id = for_tenant and l.scope in ('tenant', 'worker') and (l.scope = 'tenant' or l.scope_id = for_worker)
       and l.runs_max <= (select count(*) from runs r where r.tenant_id = for_tenant and r.state in ('leased', 'starting', 'working')
                             and (l.scope = 'tenant' or r.worker = for_worker)))
    into is_shut;
  if is_shut then
    return;
  end if;

  select coalesce(array_agg(l.scope_id::uuid), '{}') into projects from run_limits l
   where l.tenant_id = for_tenant and l.scope = 'project'
     and l.runs_max <= (select count(*) from runs r where r.tenant_id = for_tenant and r.state in ('leased', 'starting', 'working')
                           and r.project_id = l.scope_id::uuid);
  select coalesce(array_agg(l.scope_id), '{}') into agents from run_limits l
   where l.tenant_id = for_tenant and l.scope = 'agent'
     and l.runs_max <= (select count(*) from runs r where r.tenant_id = for_tenant and r.state in ('leased', 'starting', 'working') and r.agent = l.scope_id);

  with held as (
    select r.subject_id from runs r where r.tenant_id = for_tenant and r.state in ('leased', 'starting', 'working') and r.subject_type = 'ticket'
    union all
    select r.subject_id from runs r where r.tenant_id = for_tenant and r.state = 'submitted' and r.subject_type = 'ticket'
  )
  select coalesce(jsonb_object_agg(key, null), '{}') into busy from (
    select distinct unnest(k.held) as key
      from held h join tickets t on t.tenant_id = for_tenant and t.id = h.subject_id
      join projects p on p.tenant_id = t.tenant_id and p.id = t.project_id, keys_of_files(t.project_id, t.files || t.observed) k
     where p.collisions = 'hold' and t.status <> 'waiting') keys;

  if exists (select from runs r where r.tenant_id = for_tenant and r.state = 'queued' and r.aged_at is not null and r.subject_type = 'ticket') then
    for first in
      select r.id, k.held, k.wanted from projects p
       cross join lateral (
         select a.id, a.ticket_id from runs a
          where a.tenant_id = for_tenant and a.project_id = p.id and a.state = 'queued' and a.aged_at is not null and a.subject_type = 'ticket'
          order by a.priority desc, a.chain desc, a.created_at, a.id limit 1) r
        join tickets t on t.tenant_id = for_tenant and t.id = r.ticket_id
       cross join lateral keys_of_files(p.id, t.files || t.observed) k
       where p.tenant_id = for_tenant and p.collisions = 'hold'
    loop
      reserved := reserved || first.held;
      -- What is kept free is so for itself, unless it is held by another still.
      if not busy ?| first.wanted then
        aged := aged || first.id;
      end if;
    end loop;
    busy := busy || coalesce((select jsonb_object_agg(key, null) from unnest(reserved) as k (key)), '{}');
  end if;
end $function$;
grant execute on claim_bars(uuid,text) to public;
grant execute on claim_bars(uuid,text) to {engine};

CREATE OR REPLACE FUNCTION skep.current_tenant()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid;
grant execute on current_tenant() to public;

CREATE OR REPLACE FUNCTION skep.enqueue(task text, payload json, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, job_key text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'skep', 'pg_temp'
AS $function$
begin
  if session_user = '{app}' and (payload ->> 'tenantId' = current_tenant()::text) is not true then
    raise exception 'a job for another tenant' using errcode = 'insufficient_privilege';
  end if;
  perform graphile_worker.add_job(task, payload, run_at => run_at, job_key => job_key);
end $function$;
grant execute on enqueue(text,json,timestamp with time zone,text) to {app};
grant execute on enqueue(text,json,timestamp with time zone,text) to {engine};

CREATE OR REPLACE FUNCTION skep.enqueue_jobs(tasks text[], payloads json[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'skep', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
  if session_user = '{app}' then
    if exists (select from unnest(tasks, payloads) as j (task, payload)
                where (j.payload ->> 'tenantId' = current_tenant()::text) is not true) then
      raise exception 'a job for another tenant' using errcode = 'insufficient_privilege';
    end if;
  end if;
  if cardinality(tasks) > 0 then
    perform put_jobs(tasks, payloads);
  end if;
end $function$;
grant execute on enqueue_jobs(text[],json[]) to {app};
grant execute on enqueue_jobs(text[],json[]) to {engine};

CREATE OR REPLACE FUNCTION skep.files_are_free(busy jsonb, project uuid, files text[])
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'skep', 'pg_temp'
AS $function$
begin
  if files = '{}' then
    return true;
  end if;
  if busy ?| array(select project::text || '=' || file from unnest(files) as f (file)) then
    return false;
  end if;
  return not busy ?| (select k.wanted from keys_of_files(project, files) k);
end $function$;
grant execute on files_are_free(jsonb,uuid,text[]) to public;
grant execute on files_are_free(jsonb,uuid,text[]) to {engine};

CREATE OR REPLACE FUNCTION skep.hold_budgets()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'skep', 'pg_temp'
AS $function$
begin
  lock table budgets in share row exclusive mode;
end $function$;
grant execute on hold_budgets() to {app};
grant execute on hold_budgets() to {engine};

CREATE OR REPLACE FUNCTION skep.is_run_whole(state text, subject_type text, health text, retried text, lease_expires_at timestamp with time zone, ended_at timestamp with time zone, lease_token_hash bytea, fence bigint, failure_class text, template text, fallback_of text)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  return state in ('queued', 'leased', 'starting', 'working', 'submitted', 'accepted', 'returned', 'failed', 'lost', 'parked', 'cancelled')
    and subject_type in ('ticket', 'spec_phase', 'review', 'conflict', 'diagnosis')
    and health in ('ok', 'late', 'degraded')
    and (retried is null or retried in ('go_on', 'anew'))
    -- A lease has an end, and nothing else has one.
    and (state in ('leased', 'starting', 'working')) = (lease_expires_at is not null)
    and (state in ('accepted', 'returned', 'failed', 'lost', 'cancelled')) = (ended_at is not null)
    and (state = 'failed') = (failure_class is not null)
    and (lease_token_hash is null or fence is not null)
    and (fallback_of is null or template is not null);
end $function$;
grant execute on is_run_whole(text,text,text,text,timestamp with time zone,timestamp with time zone,bytea,bigint,text,text,text) to public;

CREATE OR REPLACE FUNCTION skep.is_ticket_whole(id text, type text, status text, proof text)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  return id ~ '^TKT-[0-9]{3,9}$'
    and type in ('epic', 'feature', 'task', 'bug')
    and status in ('pending', 'blocked', 'ready', 'claimed', 'running', 'verifying', 'merging', 'completed', 'waiting', 'failed', 'cancelled')
    and (proof is null or proof in ('unproven', 'proven'))
    and (status = 'completed' and type <> 'epic') = (proof is not null)
    -- Of an epic its tickets are worked on.
    and (type <> 'epic' or status not in ('ready', 'claimed', 'verifying', 'merging'));
end $function$;
grant execute on is_ticket_whole(text,text,text,text) to public;

CREATE OR REPLACE FUNCTION skep.keys_of_files(project uuid, files text[], OUT held text[], OUT wanted text[])
 RETURNS record
 LANGUAGE sql
 IMMUTABLE
AS $function$
  with recursive up as (
    select file as place from unnest(files) as f (file)
    union
    select left(place, -strpos(reverse(place), '/')) from up where strpos(place, '/') > 0
  )
  select array(select project::text || '=' || file from unnest(files) as f (file)) || array(select project::text || '<' || place from up),
         array(select project::text || '<' || file from unnest(files) as f (file)) || array(select project::text || '=' || place from up)
$function$;
grant execute on keys_of_files(uuid,text[]) to public;
grant execute on keys_of_files(uuid,text[]) to {engine};

CREATE OR REPLACE FUNCTION skep.lane_offers(for_tenant uuid, abilities text[], barred_projects uuid[], barred_agents text[], busy jsonb, aged uuid[])
 RETURNS TABLE(id uuid, priority integer, chain integer, created_at timestamp with time zone)
 LANGUAGE plpgsql
 ROWS 100
 SET search_path TO 'skep', 'pg_temp'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_sort TO 'off'
 SET enable_seqscan TO 'off'
AS $function$
declare
  lane_project uuid := '00000000-0000-0000-0000-000000000000';
  lane_requires text[] := '{}';
begin
  for lane_number in 1 .. 10000 loop
    select r.project_id, r.requires into lane_project, lane_requires from runs r
     where r.tenant_id = for_tenant and r.state = 'queued' and r.ticket_id is not null
       and (r.project_id, r.requires) > (lane_project, lane_requires)
     order by r.project_id, r.requires limit 1;
    exit when not found;
    continue when not lane_requires <@ abilities or lane_project = any (barred_projects)
      or exists (select from unnest(barred_agents) as a (kind) where 'agent:' || a.kind = any (lane_requires));

    return query
    select w.id, w.priority, w.chain, w.created_at::timestamptz from (
      select r.* from runs r
       where r.tenant_id = for_tenant and r.state = 'queued' and r.ticket_id is not null and r.due_at <= clock_timestamp()
         and (r.project_id, r.requires) >= (lane_project, lane_requires) and (r.project_id, r.requires) <= (lane_project, lane_requires)
       order by r.project_id, r.requires, r.priority desc, r.chain desc, r.created_at, r.id limit 1000) w
      join tickets t on t.tenant_id = w.tenant_id and t.id = w.ticket_id
     where t.status = w.ticket_status
       and (w.subject_type <> 'ticket' or w.id = any (aged) or files_are_free(busy, t.project_id, t.files || t.observed))
     limit 20;
  end loop;
end $function$;
grant execute on lane_offers(uuid,text[],uuid[],text[],jsonb,uuid[]) to public;
grant execute on lane_offers(uuid,text[],uuid[],text[],jsonb,uuid[]) to {engine};

CREATE OR REPLACE FUNCTION skep.put_jobs(tasks text[], payloads json[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'skep', 'pg_temp'
AS $function$
declare
  put bigint[];
begin
  with added as (
    insert into graphile_worker._private_jobs (task_id, payload)
    select t.id, j.payload
      from unnest(tasks, payloads) as j (task, payload) join graphile_worker._private_tasks t on t.identifier = j.task
    returning id
  )
  select array(select id from added) into put;
  if cardinality(put) < cardinality(tasks) then
    delete from graphile_worker._private_jobs where id = any (put);
    perform graphile_worker.add_jobs(array(
      select row(j.task, j.payload, null, null, null, null, null, null)::graphile_worker.job_spec
        from unnest(tasks, payloads) as j (task, payload)));
  else
    perform pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":' || cardinality(put)::text || '}');
  end if;
end $function$;

CREATE OR REPLACE PROCEDURE skep.raise_wall(IN walled regclass, IN tenant_column name DEFAULT 'tenant_id'::name)
 LANGUAGE plpgsql
AS $procedure$
begin
  execute format('alter table %s enable row level security', walled);
  execute format('alter table %s force row level security', walled);
  execute format('create policy one_tenant on %s to {app} using (%I = current_tenant()) with check (%I = current_tenant())',
                 walled, tenant_column, tenant_column);
  execute format('create policy all_tenants on %s to {engine} using (true) with check (true)', walled);
end $procedure$;
grant execute on raise_wall(regclass,name) to public;

CREATE OR REPLACE FUNCTION skep.sequence_events(batch integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'skep', 'pg_temp'
AS $function$
declare
  last bigint;
  given int;
begin
  select last_position into last from event_sequencer for update;
  with next as (
    select id, row_number() over (order by id) as turn
      from (select id from events where position is null order by id limit batch) as waiting
  )
  update events set position = last + next.turn from next where events.id = next.id and events.position is null;
  get diagnostics given = row_count;
  if given > 0 then
    update event_sequencer set last_position = last + given;
    perform pg_notify('skep_events', (last + given)::text);
  end if;
  return given;
end $function$;
grant execute on sequence_events(integer) to {engine};

CREATE OR REPLACE FUNCTION skep.tell_claims(of_tenant uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'skep', 'pg_temp'
AS $function$
begin
  if exists (select from run_limits l where l.tenant_id = of_tenant)
     or exists (select from brakes b where b.tenant_id = of_tenant and b.state <> 'off')
     or exists (select from tickets t where t.tenant_id = of_tenant and t.status = 'ready' and (t.files <> '{}' or t.observed <> '{}'))
  then
    perform pg_notify('skep_runs', of_tenant::text);
  end if;
end $function$;
grant execute on tell_claims(uuid) to {engine};

CREATE OR REPLACE FUNCTION skep.wake_claims()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'skep', 'pg_temp'
AS $function$
begin
  if new.state <> 'submitted' and (old.lease_expires_at is not null or old.state = 'submitted') then
    perform tell_claims(new.tenant_id);
  end if;
  return null;
end $function$;
grant execute on wake_claims() to public;
