import type { RunResult } from '../../../contract/runs.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { runFailure } from '../failure.ts';
import type { Sandbox } from '../sandbox.ts';
import { runAgent } from './agent.ts';
import { runChecks, summaryOf } from './checks/index.ts';
import { openNameless } from './files.ts';
import type { NamelessFile } from './files.ts';
import { collect } from './git/collect.ts';
import { beginMerge } from './git/merge.ts';
import { runOf } from './run.ts';
import type { Run, Started } from './run.ts';
import { taskOf } from './task.ts';
import type { Task } from './task.ts';
import { inWorkspace } from './workspace.ts';

/** The life of a run, top to bottom. Throws what ended it; the sandbox is torn down in every case. */
export async function carryOut(started: Started): Promise<RunResult> {
  await started.lease.confirmed();
  const run = runOf(started);
  const { type } = run.claimed.subject;
  if (type === 'review') return review(run);
  if (type === 'ticket' || type === 'conflict') return work(run);
  throw runFailure('invalid_task', `This worker knows no runs of a ${type}`);
}

/** An agent's work on a ticket, or on the conflicts of what it has done with what others have. */
async function work(run: Run): Promise<RunResult> {
  const task = taskOf(run.claimed, run.tools.agents);
  const bundle = openNameless(run.tools.folder);
  try {
    return await inWorkspace(run, task, sandbox => workIn(run, { sandbox, task, bundle }));
  } finally {
    bundle.close();
  }
}

interface Parts {
  readonly sandbox: Sandbox;
  readonly task: Task;
  readonly bundle: NamelessFile;
}

async function workIn(run: Run, { sandbox, task, bundle }: Parts): Promise<RunResult> {
  const { claimed, tools, lease, signal } = run;
  const { commit: base, merge } = claimed.task;
  const conflict = merge === null ? undefined : await beginMerge(sandbox, { ours: base, theirs: merge, signal });

  if (conflict?.files.length !== 0) {
    run.phase('start_agent');
    await runAgent(run, { sandbox, task, conflict, onStart: () => run.phase('stream') });
  }

  run.phase('collect');
  const { branch, commitMessage: message } = task;
  const bundleBytesMax = claimed.limits.bundle_bytes_max;
  const { head, summary } = await collect({ sandbox, branch, base, conflict, message, bundle, bundleBytesMax, signal });

  run.phase('submit');
  const blob = await lease.send((key, call) => tools.protocol.putBundle(key, bundle.descriptor, call));
  return submit(run, { summary, base, head, branch, bundle: blob });
}

/** No agent: the checks of the task on its commit. */
async function review(run: Run): Promise<RunResult> {
  return inWorkspace(run, { branch: 'skep/review', files: [] }, async (sandbox, checkOutAgain) => {
    run.phase('run_checks');
    const checks = await runChecks(run, sandbox, checkOutAgain);

    run.phase('submit');
    return submit(run, { summary: summaryOf(checks), checks });
  });
}

async function submit({ tools, lease, reports, signal }: Run, result: RunResult): Promise<RunResult> {
  await reports.sent();
  signal.throwIfAborted();
  await lease.sendLast((key, call) => {
    // Whoever stops here believes that the lease is held: the server alone can refuse what comes after.
    failpoint('before-complete');
    return tools.protocol.complete(key, result, call);
  });
  return result;
}
