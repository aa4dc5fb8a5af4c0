import type { Command } from 'commander';
import { hostname, constants } from 'node:os';
import { join } from 'node:path';
import { vmList } from '../../../contract/fleet/vms.ts';
import { Fault } from '../../kernel/fault.ts';
import { findSandboxesHere, stdinBytesMax } from '../../worker/index.ts';
import type { SandboxHere } from '../../worker/index.ts';
import { remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { printable } from '../output/text.ts';
import { Concluded, Interrupted } from '../report.ts';
import { checked, pick } from './find.ts';
import { createPrinter } from './print.ts';

interface Options extends RemoteOptions {
  readonly timeout: number;
  readonly cwd?: string;
}

type End = Awaited<ReturnType<SandboxHere['exec']>>;

const usualTimeoutS = 600;
const timeoutSMax = 86_400;

export function sandboxExec(world: World): Command {
  return remoteCommand({
    name: 'exec',
    description:
      'Run a command in a sandbox, beside what runs there, on the machine of its worker. Its exit code is passed on; Ctrl-C ends it',
    examples: ['skep sandbox exec 3f2a -- git status', 'skep sandbox exec 3f2a --timeout 60 -- sh -c "ps aux | sort"'],
  })
    .argument('<id>', 'the sandbox; may be shortened')
    .argument('<command...>', 'after --: program and arguments; no shell reads it')
    .option('--timeout <seconds>', 'after which it is ended', whole(1, timeoutSMax), usualTimeoutS)
    .option('--cwd <folder>', 'where it runs, from /work')
    .action(async (id: string, argv: string[], options: Options) => {
      const { SKEP_HOME: home } = await world.settings({ SKEP_HOME: options.home });
      const here = await findSandboxesHere(join(home, 'worker'));
      const isHere = here.some(sandbox => sandbox.id.startsWith(checked(id)));
      const sandbox = isHere ? pick(id, here) : await notHere(world, id, options);
      conclude(await execute(world, sandbox, { argv, options }));
    });
}

/** Throws what says best why it is not reached from here. */
async function notHere(world: World, given: string, options: RemoteOptions): Promise<never> {
  const context = await connect(world, options, { mayStart: false });
  const asked = context.client.request('GET', '/api/vms', { query: { prefix: given }, schema: vmList });
  const { vms } = await asked.catch(() => ({ vms: [] }));
  if (vms.length === 0) {
    throw new Fault('sandbox_not_found', {
      message: `No worker of this machine has a sandbox that begins with ${given}`,
      hint: "'skep sandbox list' shows those of all machines; a worker with another SKEP_HOME is reached with --home",
    });
  }
  const { id, host, worker } = pick(given, vms);
  if (host === hostname()) {
    throw new Fault('wrong_state', {
      message: `The sandbox ${id} is of the worker ${printable(worker)}, which cannot be reached from here`,
      hint: 'Type this as the user that runs the worker, with the SKEP_HOME of the worker as --home',
    });
  }
  throw new Fault('wrong_state', {
    message: `The sandbox ${id} is on another machine: ${printable(host)}, where the worker ${printable(worker)} runs`,
    hint: `Type this there: skep sandbox exec ${id} -- …`,
  });
}

interface Wanted {
  readonly argv: string[];
  readonly options: Options;
}

async function execute(world: World, sandbox: SandboxHere, { argv, options }: Wanted): Promise<End> {
  const stdin = world.input.isTerminal ? undefined : await world.input.read(stdinBytesMax);
  const stopping = new AbortController();
  void world.stopRequested().then(() => stopping.abort(new Interrupted()));
  const printer = createPrinter(world, options.json === true);
  const exit = await sandbox.exec({
    ...{ argv, stdin, signal: stopping.signal, timeout_ms: options.timeout * 1_000 },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    onOutput: printer.print,
  });
  printer.end(exit);
  return exit;
}

/** As a shell tells of what it has run; what Skep ended says so. */
function conclude(exit: End): void {
  if (exit.reason === 'exited') {
    if (exit.code !== 0) throw new Concluded(exit.code);
    return;
  }
  if (exit.reason === 'signaled') throw new Concluded(128 + numberOf(exit.signal));
  if (exit.reason === 'not_found') throw new Concluded(127);
  throw new Concluded(exit.reason === 'timeout' ? 124 : 1);
}

function numberOf(signal: string): number {
  return (constants.signals as Readonly<Record<string, number>>)[signal] ?? 0;
}
