-- Speed: what each write of a run or a ticket still pays for its checks.

/*
 * PostgreSQL reads the text of each CHECK anew with each statement that writes to the table, however short it is: nine of a run and six of a
 * ticket were a fifth of the instructions of a claim. One check of each table is half of that. The rules are what they were.
 */
create function is_run_whole(
  state text, subject_type text, health text, retried text, lease_expires_at timestamptz, ended_at timestamptz,
  lease_token_hash bytea, fence bigint, failure_class text, template text, fallback_of text
) returns boolean language plpgsql immutable as $$
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
end $$;

alter table runs
  drop constraint runs_state,
  drop constraint runs_subject_type,
  drop constraint runs_health,
  drop constraint runs_retried,
  drop constraint a_lease_is_whole,
  drop constraint a_final_run_has_its_time,
  drop constraint a_failure_has_its_class,
  drop constraint a_holder_has_a_fence,
  drop constraint a_fallback_has_its_template,
  add constraint runs_whole check (is_run_whole(state, subject_type, health, retried, lease_expires_at, ended_at,
                                                lease_token_hash, fence, failure_class, template, fallback_of));
drop function is_run_state, is_run_subject, is_run_health, is_lease_whole, is_end_timed;

create function is_ticket_whole(id text, type text, status text, proof text) returns boolean language plpgsql immutable as $$
begin
  return id ~ '^TKT-[0-9]{3,9}$'
    and type in ('epic', 'feature', 'task', 'bug')
    and status in ('pending', 'blocked', 'ready', 'claimed', 'running', 'verifying', 'merging', 'completed', 'waiting', 'failed', 'cancelled')
    and (proof is null or proof in ('unproven', 'proven'))
    and (status = 'completed' and type <> 'epic') = (proof is not null)
    -- Of an epic its tickets are worked on.
    and (type <> 'epic' or status not in ('ready', 'claimed', 'verifying', 'merging'));
end $$;

alter table tickets
  drop constraint tickets_id,
  drop constraint tickets_type,
  drop constraint tickets_status,
  drop constraint tickets_proof,
  drop constraint completed_has_proof,
  drop constraint epics_are_never_claimed,
  add constraint tickets_whole check (is_ticket_whole(id, type, status, proof));
drop function is_ticket_status, is_ticket_type, is_ticket_proof, is_epic_unclaimed;
