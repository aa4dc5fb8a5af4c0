-- Speed: what a hand-in pays for its job, and for telling who waits.

/*
 * The plans of add_jobs are made when a session first adds a job, often to a table that has none: the best is then to read all of it,
 * and stays so while thousands come to wait in it.
 */
alter function enqueue_jobs(text[], json[]) set enable_seqscan = off;

/*
 * Who waits for work is told of what ends, as before. What is handed in may be many at once: the statement that takes them in says it
 * for all of them (tell_claims), and not this trigger for each.
 */
create function tell_claims(of_tenant uuid) returns void language plpgsql set search_path = skep, pg_temp as $$
begin
  if exists (select from run_limits l where l.tenant_id = of_tenant)
     or exists (select from brakes b where b.tenant_id = of_tenant and b.state <> 'off')
     or exists (select from tickets t where t.tenant_id = of_tenant and t.status = 'ready' and (t.files <> '{}' or t.observed <> '{}'))
  then
    perform pg_notify('skep_runs', of_tenant::text);
  end if;
end $$;
revoke execute on function tell_claims from public;
grant execute on function tell_claims to {engine};

create or replace function wake_claims() returns trigger language plpgsql set search_path = skep, pg_temp as $$
begin
  perform tell_claims(new.tenant_id);
  return null;
end $$;
drop trigger wake_claims on runs;
create trigger wake_claims after update of lease_expires_at, state on runs for each row
  when ((old.lease_expires_at is not null and new.lease_expires_at is null and new.state <> 'submitted')
    or (old.state = 'submitted' and new.state <> 'submitted'))
  execute function wake_claims();
