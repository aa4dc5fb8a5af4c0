-- Questions to people, what agents report of their runs, and the notes that they leave for later ones.

create table questions (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  kind text not null constraint questions_kind check (kind in ('budget', 'blocker', 'ask')),
  state text not null default 'pending' constraint questions_state check (state in ('pending', 'answered', 'expired')),
  -- What it is about: a budget, or a run. Of one subject several may be asked where their keys differ.
  subject_type text not null,
  subject_id text not null,
  key text not null default '',
  project_id uuid,
  ticket_id text,
  run_id uuid,
  spec_id uuid,
  text text not null,
  options jsonb not null default '[]',
  -- What holds where nobody answers in time.
  default_answer text,
  answer text,
  answered_by text,
  -- null: it waits for a person however long that takes.
  due_at timestamptz,
  created_at timestamptz(3) not null default now(),
  decided_at timestamptz,
  unique (tenant_id, id),
  foreign key (tenant_id, project_id) references projects (tenant_id, id),
  foreign key (tenant_id, ticket_id) references tickets (tenant_id, id),
  foreign key (tenant_id, run_id) references runs (tenant_id, id),
  foreign key (tenant_id, spec_id) references specs (tenant_id, id),
  constraint a_decision_has_its_time check ((state <> 'pending') = (decided_at is not null)),
  constraint an_answer_has_its_author check (state <> 'answered' or (answer is not null and answered_by is not null))
);
create unique index one_pending_question_a_subject on questions (tenant_id, kind, subject_type, subject_id, key) where state = 'pending';
create index questions_of_subject on questions (tenant_id, subject_type, subject_id, created_at desc);
create index questions_of_tenant on questions (tenant_id, created_at desc, id);
create index questions_due on questions (due_at) where state = 'pending' and due_at is not null;
call raise_wall('questions');
grant select, insert, update on questions to {app}, {engine};

alter table runs
  -- What the agent says of its work: a claim and no evidence.
  add column report jsonb,
  -- Something stood in its way and a person has cleared it: no round of review, and the next attempt goes on where it stopped.
  add column resumed boolean not null default false;
create index runs_of_question on runs (tenant_id, (halt ->> 'questionId')) where halt is not null;

-- What agents note for those who work on the same project later. Untrusted: shown as notes, never as instructions.
create table memories (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references tenants,
  project_id uuid not null,
  run_id uuid,
  kind text not null constraint memories_kind check (kind in ('error_fix', 'discovery', 'decision', 'warning', 'knowledge')),
  text text not null constraint a_memory_is_short check (char_length(text) between 1 and 2000),
  sha256 text not null,
  created_at timestamptz(3) not null default now(),
  unique (tenant_id, id),
  -- The same note twice is one.
  unique (tenant_id, project_id, sha256),
  foreign key (tenant_id, project_id) references projects (tenant_id, id),
  foreign key (tenant_id, run_id) references runs (tenant_id, id)
);
create index memories_of_project on memories (tenant_id, project_id, created_at desc, id);
call raise_wall('memories');
grant select, delete on memories to {app};
grant select, insert, delete on memories to {engine};
