-- Speed: what each write of a run or a ticket pays for its checks, and what is enqueued for its jobs.

/*
 * PostgreSQL parses the text of a CHECK with each statement that writes to the table, and these are long lists of words: three tenths of
 * the instructions of a claim. A function is read once a session. The rules and their names are what they were.
 */
create function is_run_state(state text) returns boolean language plpgsql immutable strict as $$
begin
  return state in ('queued', 'leased', 'starting', 'working', 'submitted', 'accepted', 'returned', 'failed', 'lost', 'parked', 'cancelled');
end $$;

create function is_run_subject(subject_type text) returns boolean language plpgsql immutable strict as $$
begin
  return subject_type in ('ticket', 'spec_phase', 'review', 'conflict', 'diagnosis');
end $$;

create function is_run_health(health text) returns boolean language plpgsql immutable strict as $$
begin
  return health in ('ok', 'late', 'degraded');
end $$;

create function is_lease_whole(state text, lease_expires_at timestamptz) returns boolean language plpgsql immutable as $$
begin
  return (state in ('leased', 'starting', 'working')) = (lease_expires_at is not null);
end $$;

create function is_end_timed(state text, ended_at timestamptz) returns boolean language plpgsql immutable as $$
begin
  return (state in ('accepted', 'returned', 'failed', 'lost', 'cancelled')) = (ended_at is not null);
end $$;

alter table runs
  drop constraint runs_state,
  drop constraint runs_subject_type,
  drop constraint runs_health,
  drop constraint a_lease_is_whole,
  drop constraint a_final_run_has_its_time,
  add constraint runs_state check (is_run_state(state)),
  add constraint runs_subject_type check (is_run_subject(subject_type)),
  add constraint runs_health check (is_run_health(health)),
  add constraint a_lease_is_whole check (is_lease_whole(state, lease_expires_at)),
  add constraint a_final_run_has_its_time check (is_end_timed(state, ended_at));

create function is_ticket_status(status text) returns boolean language plpgsql immutable strict as $$
begin
  return status in ('pending', 'blocked', 'ready', 'claimed', 'running', 'verifying', 'merging', 'completed', 'waiting', 'failed', 'cancelled');
end $$;

create function is_ticket_type(type text) returns boolean language plpgsql immutable strict as $$
begin
  return type in ('epic', 'feature', 'task', 'bug');
end $$;

create function is_ticket_proof(proof text) returns boolean language plpgsql immutable strict as $$
begin
  return proof in ('unproven', 'proven');
end $$;

create function is_epic_unclaimed(type text, status text) returns boolean language plpgsql immutable as $$
begin
  return type <> 'epic' or status not in ('ready', 'claimed', 'verifying', 'merging');
end $$;

alter table tickets
  drop constraint tickets_status,
  drop constraint tickets_type,
  drop constraint tickets_proof,
  drop constraint epics_are_never_claimed,
  add constraint tickets_status check (is_ticket_status(status)),
  add constraint tickets_type check (is_ticket_type(type)),
  add constraint tickets_proof check (is_ticket_proof(proof)),
  add constraint epics_are_never_claimed check (is_epic_unclaimed(type, status));

/*
 * The WHEN of a trigger is parsed like a check, by every claim and heartbeat, which never wake anybody. The short half of it decides for
 * those; the function looks at the rest.
 */
create or replace function wake_claims() returns trigger language plpgsql set search_path = skep, pg_temp as $$
begin
  if new.state <> 'submitted' and (old.lease_expires_at is not null or old.state = 'submitted') then
    perform tell_claims(new.tenant_id);
  end if;
  return null;
end $$;
drop trigger wake_claims on runs;
create trigger wake_claims after update of lease_expires_at, state on runs for each row
  when (new.lease_expires_at is null) execute function wake_claims();

/*
 * As add_jobs of graphile-worker, for jobs without a key, a queue, a time or flags, which is what the flow starts: one insert, where that
 * makes sure of each task, each queue and each key by a statement of its own. A task that nobody has run yet has no row; then all of them
 * go by add_jobs, which makes it. What is missing is counted and not looked for: a worker that starts makes these rows at any moment.
 */
create function put_jobs(tasks text[], payloads json[]) returns void language plpgsql set search_path = skep, pg_temp as $$
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
end $$;
revoke execute on function put_jobs from public;

create or replace function enqueue_jobs(tasks text[], payloads json[]) returns void
  language plpgsql security definer set search_path = skep, pg_temp
  set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  if session_user = {app_literal} then
    if exists (select from unnest(tasks, payloads) as j (task, payload)
                where (j.payload ->> 'tenantId' = current_tenant()::text) is not true) then
      raise exception 'a job for another tenant' using errcode = 'insufficient_privilege';
    end if;
  end if;
  if cardinality(tasks) > 0 then
    perform put_jobs(tasks, payloads);
  end if;
end $$;
