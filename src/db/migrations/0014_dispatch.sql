-- Dispatch: what holds claims back, and quick ways to what a claim looks for.

-- The queue once more, a lane for each kind of claimant: what is barred, or can be done by nobody here, is passed over as a whole.
create index runs_lanes on runs (tenant_id, project_id, requires, priority desc, chain desc, created_at, id)
  where state = 'queued' and ticket_id is not null;

-- What has been due for long and does not go first yet.
create index runs_ageing on runs (due_at) where state = 'queued' and aged_at is null;

-- What has waited too long, by its place among that of its project.
create index runs_aged on runs (tenant_id, project_id, priority desc, chain desc, created_at, id)
  where state = 'queued' and aged_at is not null and subject_type = 'ticket';

/*
 * The keys under which files or folders of a project are held: `=` each of them, `<` each and every folder that it lies in. Who wants a
 * folder looks for what lies in it, so under `<`.
 */
create function keys_of_files(project uuid, files text[], out held text[], out wanted text[]) language sql immutable as $$
  with recursive up as (
    select file as place from unnest(files) as f (file)
    union
    select left(place, -strpos(reverse(place), '/')) from up where strpos(place, '/') > 0
  )
  select array(select project::text || '=' || file from unnest(files) as f (file)) || array(select project::text || '<' || place from up),
         array(select project::text || '<' || file from unnest(files) as f (file)) || array(select project::text || '=' || place from up)
$$;
grant execute on function keys_of_files(uuid, text[]) to {engine};

/* Whether none of these is held: most that are not free ask for the very file that another has, so that is looked at first. */
create function files_are_free(busy jsonb, project uuid, files text[]) returns boolean language plpgsql immutable
set search_path = skep, pg_temp as $$
begin
  if files = '{}' then
    return true;
  end if;
  if busy ?| array(select project::text || '=' || file from unnest(files) as f (file)) then
    return false;
  end if;
  return not busy ?| (select k.wanted from keys_of_files(project, files) k);
end $$;
grant execute on function files_are_free(jsonb, uuid, text[]) to {engine};

/*
 * What may not be claimed at this moment, for one claim. Where anything has to be counted, claims of the tenant take turns from here to
 * their commit, and every query in here sees what is committed when it begins: of two claims at once the second counts the first. Of
 * each project the first of the runs that have waited too long counts as busy already: nothing else may take the files that it waits for.
 * What waits for a person holds none: that may take days.
 */
create function claim_bars(for_tenant uuid, for_worker text,
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
            and exists (select from runs r where r.tenant_id = for_tenant and r.lease_expires_at is not null and r.leased_at >= b.changed_at))))
    or exists (
    select from run_limits l where l.tenant_id = for_tenant and l.scope in ('tenant', 'worker') and (l.scope = 'tenant' or l.scope_id = for_worker)
       and l.runs_max <= (select count(*) from runs r where r.tenant_id = for_tenant and r.lease_expires_at is not null
                             and (l.scope = 'tenant' or r.worker = for_worker)))
    into is_shut;
  if is_shut then
    return;
  end if;

  select coalesce(array_agg(l.scope_id::uuid), '{}') into projects from run_limits l
   where l.tenant_id = for_tenant and l.scope = 'project'
     and l.runs_max <= (select count(*) from runs r where r.tenant_id = for_tenant and r.lease_expires_at is not null
                           and r.project_id = l.scope_id::uuid);
  select coalesce(array_agg(l.scope_id), '{}') into agents from run_limits l
   where l.tenant_id = for_tenant and l.scope = 'agent'
     and l.runs_max <= (select count(*) from runs r where r.tenant_id = for_tenant and r.lease_expires_at is not null and r.agent = l.scope_id);

  with held as (
    select r.subject_id from runs r where r.tenant_id = for_tenant and r.lease_expires_at is not null and r.subject_type = 'ticket'
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
grant execute on function claim_bars(uuid, text) to {engine};

/*
 * The first runs of each lane that a claimant can do and nothing holds back: a lane is what one project's runs of one kind require.
 * Asked where none of the first in the queue can be claimed. So 100,000 runs of a project that is at its limit, or that need a machine
 * which is not there, cost one look and not 100,000. The planner is kept to the one plan that does so, and the lane is a range, though
 * of one value, so that only the index of lanes gives it in order. Of each lane 20 are offered, of the 1,000 that come first.
 */
create function lane_offers(for_tenant uuid, abilities text[], barred_projects uuid[], barred_agents text[], busy jsonb, aged uuid[])
returns table (id uuid, priority int, chain int, created_at timestamptz) language plpgsql volatile rows 100
set search_path = skep, pg_temp set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off
set enable_seqscan = off as $$
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
end $$;
grant execute on function lane_offers(uuid, text[], uuid[], text[], jsonb, uuid[]) to {engine};

/*
 * A run that ends makes room under a limit, sets files free, or is what a brake waits for: who waits for work looks again. Said here,
 * because a run ends in many ways. Where nothing can hold a claim back, an end sets nothing free, and nothing is said.
 */
create function wake_claims() returns trigger language plpgsql set search_path = skep, pg_temp as $$
begin
  if exists (select from run_limits l where l.tenant_id = new.tenant_id)
     or exists (select from brakes b where b.tenant_id = new.tenant_id and b.state <> 'off')
     or exists (select from tickets t where t.tenant_id = new.tenant_id and t.status = 'ready' and (t.files <> '{}' or t.observed <> '{}'))
  then
    perform pg_notify('skep_runs', new.tenant_id::text);
  end if;
  return null;
end $$;
create trigger wake_claims after update of lease_expires_at, state on runs for each row
  when ((old.lease_expires_at is not null and new.lease_expires_at is null) or (old.state = 'submitted' and new.state <> 'submitted'))
  execute function wake_claims();
