import type { Taken } from '../dependencies/index.ts';
import { nodeInside } from '../inside.ts';
import { limitsOf } from '../sandbox.ts';
import type { Sandbox, SandboxSpec } from '../sandbox.ts';
import { sandboxOfRun } from '../sandboxes/report.ts';
import { gitFilesWith } from './git/inside.ts';
import { preparedCheckOut, takeOver } from './git/prepared.ts';
import type { Source } from './git/source.ts';
import type { Run } from './run.ts';
import { dependenciesOf } from './setup/index.ts';
import { failpoint } from '../../kernel/failpoint.ts';

interface Given {
  readonly source: Source;
  readonly branch: string;
  /** What the sandbox shows read-only. */
  readonly files: SandboxSpec['files'];
  readonly folders?: SandboxSpec['folders'];
  readonly keeps?: boolean | undefined;
  /** Ways out of it. */
  readonly links?: NonNullable<SandboxSpec['links']>;
  /** Whether it begins with what the project's setup command has left. */
  readonly hasSetup: boolean;
  /** Called with the sandbox as soon as it is there: nothing is checked out yet. */
  readonly onMade?: ((sandbox: Sandbox) => void) | undefined;
}

/**
 * Makes a sandbox with the run's commit checked out on `branch`, over what the project's setup has left, has `work` done in it, and takes
 * it down in every case. What `work` gets as `again` puts another one in its place, made as the first.
 */
export async function inWorkspace<T>(
  run: Run,
  given: Given,
  work: (sandbox: Sandbox, again: () => Promise<Sandbox>) => Promise<T>,
): Promise<T> {
  run.phase('prepare_sandbox');
  const { source } = given;
  const layer = given.hasSetup ? await dependenciesOf(run, source) : undefined;
  if (layer !== undefined) failpoint('snapshot-taken');
  const checkOut = await preparedCheckOut(run, source).catch((error: unknown) => {
    layer?.release();
    throw error;
  });
  const place = { given, checkOut, layer };
  let sandbox: Sandbox | undefined;

  async function make(): Promise<Sandbox> {
    await sandbox?.kill();
    sandbox = await makeSandbox(run, place);
    given.onMade?.(sandbox);
    return sandbox;
  }

  async function again(): Promise<Sandbox> {
    const another = await make();
    await fill(run, another, place);
    return another;
  }

  try {
    failpoint('before-sandbox');
    let made = await make();
    failpoint('sandbox-made');
    run.lease.progress({ state: 'starting', sandbox: made.id });
    run.phase('check_out');
    if (!(await source.isThere())) made = await make();
    await fill(run, made, place);
    failpoint('checked-out');
    return await work(made, again);
  } finally {
    if (sandbox !== undefined) {
      await tearDown(run, sandbox);
      failpoint('sandbox-removed');
    }
    for (const taken of [checkOut, layer]) taken?.release();
  }
}

interface Place {
  readonly given: Given;
  /** Of the commit, with which the workspace begins. */
  readonly checkOut: Taken | undefined;
  /** What lies over it. */
  readonly layer: Taken | undefined;
}

async function makeSandbox({ claimed, tools }: Run, { given, checkOut, layer }: Place): Promise<Sandbox> {
  const { source, files, folders = [], keeps = false, links = [] } = given;
  const { limits, run, lease } = claimed;
  const from = [checkOut, layer].flatMap(taken => (taken === undefined ? [] : [taken.snapshot]));
  return tools.sandboxes.create({
    id: sandboxOfRun(run.id, lease.fence),
    limits: limitsOf(limits),
    files: [...files, ...gitFilesWith(layer?.exclude ?? '')],
    folders: [...folders, ...nodeInside().folders, await source.folder()],
    keeps,
    links,
    ...(from.length === 0 ? {} : { from }),
  });
}

function fill({ claimed, signal }: Run, sandbox: Sandbox, { given, checkOut, layer }: Place): Promise<void> {
  const { commit, merge, object_format: objectFormat } = claimed.task;
  const { branch, source } = given;
  if (checkOut !== undefined) return takeOver(sandbox, { branch, isCovered: layer !== undefined, signal });
  return source.checkOut(sandbox, { branch, commit, objectFormat, merge, signal });
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
