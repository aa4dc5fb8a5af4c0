-- Dispatch: who may pull the brake, and quick ways to what a claim looks for.

-- A person pulls and lifts it too, behind the wall of the tenant.
grant insert, update on brakes to {app};

-- The queue once more, a lane for each kind of claimant: what is barred, or can be done by nobody here, is passed over as a whole.
create index runs_lanes on runs (tenant_id, project_id, requires, priority desc, chain desc, created_at, id)
  where state = 'queued' and ticket_id is not null;

-- What has been due for long and does not go first yet.
create index runs_ageing on runs (due_at) where state = 'queued' and aged_at is null;

/*
 * The first runs of each lane that a claimant can do and nothing holds back: a lane is what one project's runs of one kind require.
 * Asked where none of the first in the queue can be claimed. So 100,000 runs of a project that is at its limit, or that need a machine
 * which is not there, cost one look and not 100,000. The planner is kept to the one plan that does so, and the lane is a range, though
 * of one value, so that only the index of lanes gives it in order. Of each lane 20 are offered, of the 200 that come first.
 */
create function lane_offers(for_tenant uuid, abilities text[], barred_projects uuid[], barred_agents text[],
    busy_runs uuid[], busy_projects uuid[], busy_files text[])
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
       order by r.project_id, r.requires, r.priority desc, r.chain desc, r.created_at, r.id limit 200) w
      join tickets t on t.tenant_id = w.tenant_id and t.id = w.ticket_id
     where t.status = w.ticket_status
       and (w.subject_type <> 'ticket' or not exists (
         select from unnest(busy_runs, busy_projects, busy_files) as b (run, project, file), unnest(t.files || t.observed) as f (file)
          where b.project = t.project_id and b.run <> w.id
            and (b.file = f.file or starts_with(b.file, f.file || '/') or starts_with(f.file, b.file || '/'))))
     limit 20;
  end loop;
end $$;
grant execute on function lane_offers(uuid, text[], uuid[], text[], uuid[], uuid[], text[]) to {engine};

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
