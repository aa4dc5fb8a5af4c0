-- Speed: the jobs of a transaction are added together, and what waits is counted in an index.

/*
 * As enqueue, for all jobs of a statement at once: one call of add_jobs costs hardly more than one of add_job. Its statements would be
 * planned anew for each array that they are given, which takes longer than they do; one plan is as good for any number of jobs.
 * Servers of the version before, which run beside this one while an installation is upgraded, still call enqueue.
 */
create function enqueue_jobs(tasks text[], payloads json[]) returns void
  language plpgsql security definer set search_path = skep, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  if session_user = {app_literal} then
    if exists (select from unnest(tasks, payloads) as j (task, payload)
                where (j.payload ->> 'tenantId' = current_tenant()::text) is not true) then
      raise exception 'a job for another tenant' using errcode = 'insufficient_privilege';
    end if;
  end if;
  if cardinality(tasks) > 0 then
    perform graphile_worker.add_jobs(array(
      select row(j.task, j.payload, null, null, null, null, null, null)::graphile_worker.job_spec
        from unnest(tasks, payloads) as j (task, payload)));
  end if;
end $$;
revoke execute on function enqueue_jobs from public;
grant execute on function enqueue_jobs to {app}, {engine};

-- Who looks at all that waits finds what it groups by in the index; a claim takes a row out of it and writes nothing to it.
drop index runs_lanes;
create index runs_lanes on runs (tenant_id, project_id, requires, priority desc, chain desc, created_at, id)
  include (due_at, agent, aged_at) where state = 'queued' and ticket_id is not null;
