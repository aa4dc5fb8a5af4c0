import type { RunResult } from '../../../../contract/runs.ts';
import { failpoint } from '../../../kernel/failpoint.ts';
import { isFault } from '../../../kernel/fault.ts';
import type { Sandbox } from '../../sandbox.ts';
import type { NamelessFile } from '../files.ts';
import { collect } from '../git/collect.ts';
import type { Conflict } from '../git/merge.ts';
import type { Run } from '../run.ts';
import type { Task } from '../task.ts';

/** Where an agent has worked. */
export interface Work {
  readonly sandbox: Sandbox;
  readonly task: Task;
  /** Empty; for what is brought to the server. */
  readonly bundle: NamelessFile;
  readonly conflict: Conflict | undefined;
  /** Whether the agent keeps its conversation. */
  readonly keeps: boolean;
}

/**
 * Brings the work to the server. A worker that is told to stop meanwhile lets it get there, as long as its lease sends. Throws what
 * `collect` throws, and the lease's reason.
 */
export async function bringWork(run: Run, { sandbox, task, bundle, conflict }: Work): Promise<RunResult> {
  const { claimed, tools, lease } = run;
  const base = claimed.task.commit;
  run.phase('collect');
  const { branch, commitMessage: message } = task;
  const bundleBytesMax = claimed.limits.bundle_bytes_max;
  const baseIsWork = claimed.task.has_work === true;
  const what = { sandbox, branch, base, baseIsWork, conflict, message, bundle, bundleBytesMax, signal: lease.ending };
  const { head, summary } = await collect(what);

  failpoint('work-collected');
  run.phase('submit');
  const blob = await lease.send((key, call) => tools.protocol.putBundle(key, bundle.descriptor, call));
  failpoint('bundle-uploaded');
  return { summary, base, head, branch, bundle: blob };
}

/** The same of an agent that was stopped on the way: it may have changed nothing, or have left what can't be collected. */
export async function whatThereIs(run: Run, work: Work): Promise<RunResult> {
  try {
    return await bringWork(run, work);
  } catch (error) {
    run.lease.ending.throwIfAborted();
    if (!isFault(error) || error.facts['class'] === undefined) throw error;
    run.tools.log.debug({ why: run.secrets.text(error.message) }, 'a run is parked without work');
    return { summary: '' };
  }
}
