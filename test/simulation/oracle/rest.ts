import type { Look } from '../world/look.ts';
import type { UserRepository } from '../world/git/fakes.ts';

/** What keeps the world from being at rest: rows that are not over, and jobs that wait. Empty when all has come to its end. */
export function unrest({ rows }: Look, repositories: ReadonlyMap<string, UserRepository>): string[] {
  const left = rows<{ kind: string; id: string; state: string }>(
    `select 'ticket' as kind, id, status as state from tickets where status not in ('completed', 'cancelled')
     union all select 'session', id::text, state from sessions where state not in ('completed', 'cancelled')
     union all select 'spec', id::text, status from specs where status not in ('completed', 'cancelled')
     union all select 'run', id::text, state from runs where state in ('queued', 'leased', 'starting', 'working', 'submitted', 'parked')
     union all select 'review', id::text, state from reviews where state in ('pending', 'running')
     union all select 'change', id::text, state from changes where state not in ('merged', 'closed')
     union all select 'question', id::text, state from questions where state = 'pending'
     union all select 'call', id::text, state from model_calls where state = 'reserved'
     union all select 'trunk', id::text, state from trunks where state <> 'ready' or (head_sha <> base_sha and head_sha is distinct from published_sha)`,
  );
  // One whose server never heard that it has it stays locked, as graphile-worker leaves it; what it was for is done all the same.
  const jobs = rows<{ task: string; attempts: number; locked_by: string | null }>(
    'select task, attempts, locked_by from graphile_worker._private_jobs where run_at <= clock_timestamp()',
  );
  const found = [
    ...left.map(({ kind, id, state }) => `${kind} ${id} is ${state}`),
    ...jobs.filter(({ locked_by: slot }) => slot === null).map(({ task }) => `the job ${task} waits`),
    ...unpublished(rows, repositories),
  ];
  const locked = jobs.map(
    ({ task, attempts, locked_by: slot }) => `the job ${task} is locked by ${slot} after ${attempts} attempts`,
  );
  return found.length === 0 ? [] : [...found, ...locked];
}

/** The branch of the user's repository is where the row says. */
function unpublished(rows: Look['rows'], repositories: ReadonlyMap<string, UserRepository>): string[] {
  const trunks = rows<{ branch: string; published_sha: string; repository: string }>(
    `select k.branch, k.published_sha, p.repository from trunks k join projects p on p.id = k.project_id where k.published_sha is not null`,
  );
  return trunks.flatMap(({ branch, published_sha: published, repository }) => {
    const at = repositories.get(repository)?.branches.get(branch);
    return at === published ? [] : [`${branch} is at ${at ?? 'nothing'} and not at ${published}`];
  });
}
