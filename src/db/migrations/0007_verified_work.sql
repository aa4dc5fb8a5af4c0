-- Verified and merged work: checks of a project, the trunk that work is merged into, reviews, changes and results.

alter table projects
  -- null: found at the base commit. An empty list: none, and the work stays unproven.
  add column checks jsonb,
  add column test_changes text not null default 'ask' constraint projects_test_changes check (test_changes in ('ask', 'allow')),
  add column red_base text not null default 'refuse' constraint projects_red_base check (red_base in ('refuse', 'leave_out'));

alter table tickets drop constraint tickets_proof, add constraint tickets_proof check (proof in ('unproven', 'proven'));

-- The branch that the work of a spec, or of a project's tickets without one, is merged into.
create table trunks (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  project_id uuid not null,
  spec_id uuid,
  branch text not null,
  state text not null default 'preparing' constraint trunks_state check (state in ('preparing', 'checking', 'ready', 'refused')),
  reason text,
  hint text,
  -- As the project's when it was opened; a person may be more lenient for this one.
  red_base text not null constraint trunks_red_base check (red_base in ('refuse', 'leave_out')),
  object_format text not null default 'sha1' constraint trunks_object_format check (object_format in ('sha1', 'sha256')),
  base_sha text,
  -- Moves by compare-and-swap alone: whoever saw another head than this one has merged into the past.
  head_sha text,
  -- The change that is being merged; while it is checked again no other one lands.
  merging_id uuid,
  merge_count int not null default 0,
  published_sha text,
  publish_error text,
  publish_attempts int not null default 0,
  publish_due_at timestamptz,
  checks jsonb not null default '[]',
  notes jsonb not null default '[]',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, id),
  unique nulls not distinct (tenant_id, project_id, spec_id),
  unique (tenant_id, project_id, branch),
  foreign key (tenant_id, project_id) references projects (tenant_id, id),
  foreign key (tenant_id, spec_id) references specs (tenant_id, id),
  constraint a_usable_trunk_has_a_head check (state in ('preparing', 'refused') or (base_sha is not null and head_sha is not null))
);
create index trunks_preparing on trunks (updated_at) where state = 'preparing';
create index trunks_to_publish on trunks (publish_due_at) where publish_due_at is not null;
call raise_wall('trunks');
grant select, insert, update on trunks to {app}, {engine};

alter table runs
  -- On whose behalf, and in which status that ticket must be for the run to be claimed.
  add column ticket_id text,
  add column ticket_status text,
  -- What the holder is to do, where the subject alone does not say it: commit, checks, what to merge.
  add column task jsonb,
  -- What a returned run is told, and the commit from which the next attempt goes on.
  add column feedback jsonb,
  add column resume_sha text,
  add foreign key (tenant_id, ticket_id) references tickets (tenant_id, id);
-- The wall holds for the owner too, who would see no row.
alter table runs no force row level security;
update runs set ticket_id = subject_id, ticket_status = 'ready' where subject_type = 'ticket';
-- What was in hand knows no trunk: its tickets are queued again by the nets.
update runs set state = 'cancelled', lease_expires_at = null, ended_at = now()
 where state in ('queued', 'leased', 'starting', 'working', 'submitted', 'parked');
alter table runs force row level security;
-- Runs of no ticket, such as the checks of a base commit, are few and go first.
create index runs_queue_of_no_ticket on runs (tenant_id, priority desc, created_at, id) where state = 'queued' and ticket_id is null;
create index runs_of_ticket on runs (tenant_id, ticket_id, created_at desc) where ticket_id is not null;

alter table blobs drop constraint blobs_kind, add constraint blobs_kind check (kind in ('bundle', 'merge'));

create table reviews (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  kind text not null constraint reviews_kind check (kind in ('base', 'submission', 'merge')),
  trunk_id uuid not null,
  -- Whose work it is, and the run that handed it in; a base review has neither.
  ticket_id text,
  run_id uuid,
  round int not null,
  state text not null default 'pending' constraint reviews_state check (state in
    ('pending', 'running', 'passed', 'needs_work', 'failed', 'inconclusive')),
  head_sha text not null,
  base_sha text not null,
  candidate_sha text not null,
  checks jsonb not null default '[]',
  flags jsonb not null default '[]',
  reason text,
  created_at timestamptz(3) not null default now(),
  ended_at timestamptz,
  unique (tenant_id, id),
  -- A submission is reviewed once on each base, also when two jobs think of it at once.
  unique nulls not distinct (tenant_id, trunk_id, run_id, head_sha, base_sha, round),
  foreign key (tenant_id, trunk_id) references trunks (tenant_id, id),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id),
  foreign key (tenant_id, run_id) references runs (tenant_id, id),
  constraint a_base_review_is_of_no_run check ((kind = 'base') = (run_id is null) and (kind = 'base') = (ticket_id is null)),
  constraint a_final_review_has_its_time check ((state in ('passed', 'needs_work', 'failed', 'inconclusive')) = (ended_at is not null))
);
create index reviews_of_ticket on reviews (tenant_id, ticket_id, created_at desc);
create index reviews_of_trunk on reviews (tenant_id, trunk_id, created_at desc);
create index reviews_pending on reviews (created_at) where state = 'pending';
call raise_wall('reviews');
grant select on reviews to {app};
grant select, insert, update on reviews to {engine};

create table changes (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  trunk_id uuid not null,
  ticket_id text not null,
  state text not null constraint changes_state check (state in ('open', 'queued', 'merging', 'merged', 'conflict', 'closed')),
  approval text not null constraint changes_approval check (approval in ('not_needed', 'needed', 'given')),
  approved_by text,
  head_sha text not null,
  base_sha text not null,
  review_id uuid not null,
  -- The run that handed the head in: of the ticket, or of the conflict that was resolved.
  run_id uuid not null,
  flags jsonb not null default '[]',
  conflict_files jsonb not null default '[]',
  conflict_base_sha text,
  merge_sha text,
  -- The bundle of the merge: from these the trunk is rebuilt where the bare repository is lost.
  merge_blob text,
  merge_number int,
  reason text,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz not null default now(),
  queued_at timestamptz,
  merged_at timestamptz,
  unique (tenant_id, id),
  -- One a ticket, however often it is tried.
  unique (tenant_id, ticket_id),
  foreign key (tenant_id, trunk_id) references trunks (tenant_id, id),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id),
  foreign key (tenant_id, review_id) references reviews (tenant_id, id),
  foreign key (tenant_id, run_id) references runs (tenant_id, id),
  constraint a_merged_change_has_its_commit check ((state = 'merged') = (merge_sha is not null and merged_at is not null))
);
create index changes_of_trunk on changes (tenant_id, trunk_id, created_at desc);
create index changes_queued on changes (tenant_id, trunk_id, queued_at, id) where state = 'queued';
call raise_wall('changes');
grant select, insert, update on changes to {app}, {engine};

alter table specs add column on_result_found text not null default 'stop_all'
  constraint specs_on_result_found check (on_result_found in ('stop_all', 'do_nothing'));

create table result_submissions (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  spec_id uuid not null,
  version int not null,
  state text not null default 'submitted' constraint result_submissions_state check (state in ('submitted', 'validated', 'rejected')),
  proof text not null constraint result_submissions_proof check (proof in ('unproven', 'proven')),
  summary text not null,
  evidence jsonb not null,
  criteria jsonb not null,
  submitted_by text not null,
  reason text,
  created_at timestamptz not null default now(),
  decided_at timestamptz,
  unique (tenant_id, id),
  unique (tenant_id, spec_id, version),
  foreign key (tenant_id, spec_id) references specs (tenant_id, id),
  constraint a_decision_has_its_time check ((state <> 'submitted') = (decided_at is not null))
);
call raise_wall('result_submissions');
-- What was handed in stays as it was: only the decision is written later.
grant select, insert, update (state, reason, decided_at) on result_submissions to {app};
grant select on result_submissions to {engine};
