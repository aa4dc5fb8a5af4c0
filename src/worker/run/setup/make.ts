import { randomBytes } from 'node:crypto';
import { failpoint } from '../../../kernel/failpoint.ts';
import type { Layer } from '../../dependencies/index.ts';
import { lastWords, runFailure } from '../../failure.ts';
import { nodeInside } from '../../inside.ts';
import { keptPath, limitsOf } from '../../sandbox.ts';
import type { Sandbox, SandboxExit } from '../../sandbox.ts';
import { gitFiles } from '../git/inside.ts';
import type { Source } from '../git/source.ts';
import type { Output } from '../output.ts';
import type { Run } from '../run.ts';
import { openWays } from '../ways.ts';
import type { Ways } from '../ways.ts';
import { setupLine } from './command-line.ts';
import { sift } from './sift.ts';

interface Job {
  readonly source: Source;
  readonly commit: string;
  readonly setup: readonly string[];
}

/**
 * Runs the setup command of a project in a sandbox in which no agent was, with what its rules let it reach, and keeps what it leaves
 * beside the files of the commit. Its output is part of the run's log. Throws a run failure `setup` where it does not end well.
 */
export async function makeLayer(run: Run, job: Job): Promise<Layer> {
  const { tools } = run;
  run.phase('set_up');
  const ways = await openWays(run, { gateway: false, network: true });
  const output = run.openOutput();
  try {
    const sandbox = await makeSandbox(run, job, ways);
    try {
      return await setUp(run, { ...job, ways, output, sandbox });
    } finally {
      await sandbox.kill().catch((error: unknown) => {
        tools.log.error({ sandbox: sandbox.id, error: String(error) }, 'the sandbox of a setup could not be removed');
      });
    }
  } finally {
    ways.sumUp();
    ways.close();
    await output.end();
  }
}

/** Its id names no run: nothing in it is anybody's work. What the command caches is on its disk, and not in its memory. */
async function makeSandbox({ claimed, tools }: Run, { source }: Job, ways: Ways): Promise<Sandbox> {
  await source.isThere();
  return tools.sandboxes.create({
    id: `setup-${randomBytes(8).toString('hex')}`,
    limits: limitsOf(claimed.limits),
    files: gitFiles,
    folders: [...ways.folders, ...nodeInside().folders, await source.folder()],
    links: ways.links,
    keeps: true,
  });
}

interface Place extends Job {
  readonly ways: Ways;
  readonly output: Output;
  readonly sandbox: Sandbox;
}

async function setUp(run: Run, place: Place): Promise<Layer> {
  const { sandbox, source, commit, setup } = place;
  const { object_format: objectFormat } = run.claimed.task;
  const { signal } = run;
  await source.checkOut(sandbox, { branch: 'skep/setup', commit, objectFormat, merge: null, signal });
  await runSetup(run, place);
  failpoint('setup-ended');
  const sifted = await sift(sandbox, { commit, command: setupLine(setup), signal });
  if (sandbox.snapshot === undefined)
    throw runFailure('sandbox', "This worker's sandboxes can't begin with what a setup command has left");
  const snapshot = await sandbox.snapshot();
  failpoint('snapshot-made');
  return { snapshot, ...sifted };
}

const tailBytes = 4_096;

async function runSetup(run: Run, { sandbox, ways, output, setup }: Place): Promise<void> {
  const { claimed, tools, signal } = run;
  const { timeoutMs } = tools.dependencies;
  output.write(Buffer.from(`$ ${setupLine(setup)}\n`));
  output.begin(tailBytes);
  const exit = await ways.run(sandbox, {
    // shell: a home that is on the disk; the text is ours and the command comes as arguments.
    argv: ['sh', '-ec', homeScript, 'skep', ...setup],
    env: { CI: '1', ...ways.env },
    timeoutMs,
    // The agent's own must have room in the same log.
    outputBytesMax: Math.ceil(claimed.limits.output_bytes_max / 2),
    signal,
    now: signal,
    onOutput: (stream, chunk) => output.write(chunk, stream),
  });
  signal.throwIfAborted();
  if (exit.reason === 'exited' && exit.code === 0) return;
  if (exit.reason === 'aborted') throw runFailure('sandbox', 'The setup command was ended from outside');
  const words = lastWords(output.tail());
  const said = words === '' ? '; it printed nothing' : `; it printed at last:\n${words}`;
  throw runFailure('setup', `The setup command \`${setupLine(setup)}\` ${howItEnded(exit, timeoutMs)}${said}`);
}

const homeScript = `
mkdir -p ${keptPath}/home ${keptPath}/tmp
export HOME=${keptPath}/home TMPDIR=${keptPath}/tmp
exec "$@"`;

function howItEnded(exit: SandboxExit, timeoutMs: number): string {
  switch (exit.reason) {
    case 'exited':
      return `ended with ${exit.code}`;
    case 'signaled':
      return `was ended by ${exit.signal}`;
    case 'timeout':
      return `did not end within ${Math.round(timeoutMs / 1_000)} s`;
    case 'workspace_full':
      return `wrote more than the ${exit.workspaceBytesMax} bytes of a workspace`;
    case 'output_limit':
      return 'printed more than half of what a run may';
    case 'out_of_memory':
      return 'used up the memory of its sandbox';
    default:
      return 'could not be started';
  }
}
