-- The one log. Rows are only ever added; nobody but the sequencer touches one again, and only to give it its position.
create table events (
  id bigint generated always as identity primary key,
  -- Identity values can commit out of order, so readers go by position alone: given after commit, by one sequencer at a time.
  position bigint,
  tenant_id uuid not null references tenants,
  type text not null,
  subject_type text not null,
  subject_id text not null,
  actor text not null,
  payload jsonb not null default '{}',
  at timestamptz not null default clock_timestamp()
);
create unique index events_by_position on events (position);
create index events_of_tenant on events (tenant_id, position);
create index events_of_subject on events (tenant_id, subject_id, position);
create index events_without_position on events (id) where position is null;
call raise_wall('events');
grant select, insert on events to {app};
grant select, insert, update (position) on events to {engine};

create table event_sequencer (
  the_only boolean primary key default true check (the_only),
  last_position bigint not null default 0
);
insert into event_sequencer default values;
alter table event_sequencer enable row level security;
alter table event_sequencer force row level security;
create policy all_tenants on event_sequencer to {engine} using (true) with check (true);
grant select, update on event_sequencer to {engine};

-- Gives the next positions to at most `batch` committed events and tells the listeners once. The row lock makes the sequencers of
-- several servers take turns; each statement of a plpgsql function has its own snapshot, so what committed while one waited is seen.
create function sequence_events(batch int) returns int
  language plpgsql set search_path = skep, pg_temp as $$
declare
  last bigint;
  given int;
begin
  select last_position into last from event_sequencer for update;
  with next as (
    select id, row_number() over (order by id) as turn
      from (select id from events where position is null order by id limit batch) as waiting
  )
  update events set position = last + next.turn from next where events.id = next.id;
  get diagnostics given = row_count;
  if given > 0 then
    update event_sequencer set last_position = last + given;
    perform pg_notify('skep_events', (last + given)::text);
  end if;
  return given;
end $$;
revoke execute on function sequence_events from public;
grant execute on function sequence_events to {engine};

-- Background work in the caller's own transaction. add_job refuses anyone but the owner of the queue, hence SECURITY DEFINER;
-- the app role may only enqueue for the tenant that it speaks for.
create function enqueue(task text, payload json, run_at timestamptz default null, job_key text default null) returns void
  language plpgsql security definer set search_path = skep, pg_temp as $$
begin
  if session_user = {app_literal} and (payload ->> 'tenantId' = current_tenant()::text) is not true then
    raise exception 'a job for another tenant' using errcode = 'insufficient_privilege';
  end if;
  perform graphile_worker.add_job(task, payload, run_at => run_at, job_key => job_key);
end $$;
revoke execute on function enqueue from public;
grant execute on function enqueue to {app}, {engine};
