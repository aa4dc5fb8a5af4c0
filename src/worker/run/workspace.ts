import { runFailure } from '../failure.ts';
import { nodeInside } from '../inside.ts';
import { limitsOf } from '../sandbox.ts';
import type { Sandbox, SandboxSpec } from '../sandbox.ts';
import { sandboxOfRun } from '../sandboxes/report.ts';
import { checkOut, mirrorInside } from './git/checkout.ts';
import type { CheckOut } from './git/checkout.ts';
import { gitFiles } from './git/inside.ts';
import type { Run } from './run.ts';
import { failpoint } from '../../kernel/failpoint.ts';

interface Given {
  readonly branch: string;
  /** What the sandbox shows read-only. */
  readonly files: SandboxSpec['files'];
  readonly folders?: SandboxSpec['folders'];
  readonly keeps?: boolean | undefined;
  /** Ways out of it. */
  readonly links?: NonNullable<SandboxSpec['links']>;
}

/**
 * Makes a sandbox with the run's commit checked out on `branch`, has `work` done in it, and takes it down in every case. What
 * `work` gets as `again` checks out once more, into a workspace that is empty.
 */
export async function inWorkspace<T>(
  run: Run,
  { branch, files, folders = [], keeps = false, links = [] }: Given,
  work: (sandbox: Sandbox, again: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const { claimed, tools, lease, signal } = run;
  const { commit, merge, object_format: objectFormat } = claimed.task;
  const key = { runId: claimed.run.id, token: claimed.lease.token };
  const commits = merge === null ? [commit] : [commit, merge];
  const wanted = { projectId: claimed.project.id, objectFormat, commits, key, signal };

  run.phase('prepare_sandbox');
  const copy = await tools.repositories.open(wanted);
  failpoint('before-sandbox');
  const sandbox = await tools.sandboxes.create(
    specOf(run, { files, keeps, folders: [...folders, ...nodeInside().folders, { from: copy.path, to: mirrorInside }], links }),
  );
  failpoint('sandbox-made');
  try {
    lease.progress({ state: 'starting', sandbox: sandbox.id });
    const at: CheckOut = { branch, commit, objectFormat, merge, signal };
    run.phase('check_out');
    if (!(await checkOut(sandbox, at))) {
      await tools.repositories.replace(copy, wanted);
      await checkOutAgain(sandbox, at);
    }
    failpoint('checked-out');
    return await work(sandbox, () => checkOutAgain(sandbox, at));
  } finally {
    await tearDown(run, sandbox);
    failpoint('sandbox-removed');
  }
}

async function checkOutAgain(sandbox: Sandbox, at: CheckOut): Promise<void> {
  if (await checkOut(sandbox, at)) return;
  throw runFailure('repository', `The copy of the repository on the worker's machine lacks a part of ${at.commit}`);
}

function specOf({ claimed }: Run, given: Pick<SandboxSpec, 'files' | 'folders' | 'keeps' | 'links'>): SandboxSpec {
  const { limits, run, lease } = claimed;
  return {
    id: sandboxOfRun(run.id, lease.fence),
    limits: limitsOf(limits),
    ...given,
    files: [...given.files, ...gitFiles],
  };
}

async function tearDown({ tools, lease }: Run, sandbox: Sandbox): Promise<void> {
  if (lease.signal.aborted) await tools.onLost?.(sandbox);
  await sandbox.kill().catch((error: unknown) => {
    tools.log.error(
      { sandbox: sandbox.id, error: String(error) },
      'a sandbox could not be removed; the next start of a worker tries again',
    );
  });
}
