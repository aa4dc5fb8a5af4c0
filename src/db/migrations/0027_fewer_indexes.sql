-- Speed: each status of a run is a new version of its row, in every index that has it. A claim and a hand-in wrote to 32 indexes; 23 now.

-- Everybody who looks for a run by its id knows the tenant.
alter table runs drop constraint runs_pkey;

/*
 * What is held is few, so one index of it serves limits, collisions, tokens and those who look for leases that are over. It goes by the
 * state and not by the lease: a heartbeat, which moves nothing but the end of the lease, changes no index at all.
 */
drop index runs_expiring;
drop index runs_live;
create index runs_held on runs (tenant_id, project_id) where state in ('leased', 'starting', 'working');
drop index runs_of_run_token;
create unique index runs_of_run_token on runs (run_token_hash)
  where state in ('leased', 'starting', 'working') and run_token_hash is not null;

-- Runs at a ticket itself are found by their subject.
drop index runs_of_ticket;
create index runs_of_ticket on runs (tenant_id, ticket_id) where ticket_id is not null and subject_type <> 'ticket';

-- An event is looked up by its id as long as it has no position, and never after.
alter table events drop constraint events_pkey;
drop index events_without_position;
create unique index events_without_position on events (id) where position is null;

create or replace function sequence_events(batch int) returns int
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
  update events set position = last + next.turn from next where events.id = next.id and events.position is null;
  get diagnostics given = row_count;
  if given > 0 then
    update event_sequencer set last_position = last + given;
    perform pg_notify('skep_events', (last + given)::text);
  end if;
  return given;
end $$;

-- What is held, by the state, as its index has it.
create or replace function claim_bars(for_tenant uuid, for_worker text,
    out is_shut boolean, out projects uuid[], out agents text[], out busy jsonb, out aged uuid[])
language plpgsql volatile set search_path = skep, pg_temp as $$
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
end $$;
