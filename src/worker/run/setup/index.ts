import type { Claimed } from '../../../../contract/runs.ts';
import { narrowed } from '../../dependencies/index.ts';
import type { Circumstances, Taken } from '../../dependencies/index.ts';
import type { Source } from '../git/source.ts';
import type { Run } from '../run.ts';
import { makeLayer } from './make.ts';

/**
 * What the workspace of a run begins with, to be given back after it; undefined where the project has no setup. Where nothing is kept for
 * these dependencies the setup command is run first. Throws a run failure `setup`, or what stood in the way.
 */
export async function dependenciesOf(run: Run, source: Source): Promise<Taken | undefined> {
  const { claimed, tools, signal } = run;
  if (claimed.setup === null) return undefined;
  const { key, commit } = await basisOf(run, source, circumstancesOf(claimed, claimed.setup));
  const setup = claimed.setup;
  return tools.dependencies.take(key, {
    make: () => makeLayer(run, { source, commit, setup }),
    beganAt: claimed.run.leased_at ?? '',
    insists: failed => isWantedAnew(claimed, failed.beganAt),
    signal,
    onWait: () => run.phase('set_up'),
  });
}

function circumstancesOf({ project, network, limits }: Claimed, setup: readonly string[]): Circumstances {
  return { projectId: project.id, setup, network, workspaceBytes: limits.workspace_bytes };
}

/**
 * On which commit the setup is run, and whose dependencies that makes. Nobody's code may end up in what others begin with: where the
 * run's commit has the dependencies of the user's own, it is run on that, for the whole project; where it has those of what has landed,
 * on that, for its spec; and where an agent has changed them, on the commit, and for that alone.
 */
async function basisOf(run: Run, source: Source, given: Circumstances): Promise<{ key: string; commit: string }> {
  const { task, ticket } = run.claimed;
  const { commit, base = null, origin = null } = task;
  const keyOf = (each: string) => run.tools.dependencies.keyOf(given, each, () => source.files(each));
  const own = await keyOf(commit);
  const isAlike = async (each: string): Promise<boolean> => (await keyOf(each)) === own;
  if (origin !== null && (await isAlike(origin))) return { key: own, commit: origin };
  if (base !== null && (await isAlike(base))) return { key: narrowed(own, `spec ${ticket?.spec_id ?? ''}`), commit: base };
  return { key: narrowed(own, `commit ${commit}`), commit };
}

/** Whether a person, or whoever has mended it, has asked for it since it failed: the run was made after that, and is a first attempt. */
function isWantedAnew({ run, ticket }: Claimed, failedAt: string): boolean {
  return (ticket?.attempts ?? 1) <= 1 && run.created_at > failedAt;
}
