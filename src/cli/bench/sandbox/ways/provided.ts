import { Fault } from '../../../../kernel/fault.ts';
import type { SandboxProvider, SandboxSpec } from '../../../../worker/index.ts';
import { firstInstructionMs } from './first.ts';
import type { Program } from './tiny.ts';
import type { Started, Way } from './way.ts';

type Sandbox = Awaited<ReturnType<SandboxProvider['create']>>;
type Snapshots = NonNullable<SandboxSpec['from']>;

export interface Means {
  readonly provider: SandboxProvider;
  readonly program: Program;
  readonly limits: SandboxSpec['limits'];
  /** What each begins as. */
  readonly from?: Snapshots;
}

/** As in a run: more than the program needs, so that what a limit costs is measured too. */
export const benchLimits: SandboxSpec['limits'] = {
  memoryBytes: 512 * 2 ** 20,
  processCount: 64,
  cpuCount: 2,
  tmpBytes: 16 * 2 ** 20,
  workspaceBytes: 64 * 2 ** 20,
};

/** Sandboxes that nobody has asked for before. */
export function coldWay(name: string, means: Means): Way {
  return { name, isOurs: true, start: () => startIn(means) };
}

/** The same, of which so many were prepared as are asked for. */
export function warmWay(name: string, means: Means): Way {
  const prepare = (count: number) => means.provider.prewarm(means.limits, count);
  return { name, isOurs: true, prepare, release: () => prepare(0), start: () => startIn(means) };
}

/** How the names of this process's sandboxes begin, by which they are known on the host: in folders, and in arguments of what runs in them. */
export const benchMark = `skep-bench-${process.pid}-`;

let last = 0;

/** One with the program in it, which has written. */
export async function startIn({ provider, program, limits, from }: Means): Promise<Started & { readonly sandbox: Sandbox }> {
  // By a count: to make up a name is no part of a start, and random bytes take as long as a twentieth of one.
  const id = `${benchMark}${(last += 1)}`;
  const folders = [{ from: program.folder, to: shownAt }];
  const sandbox = await provider.create({ id, limits, files: [], folders, ...(from === undefined ? {} : { from }) });
  try {
    const written = await firstWritten(sandbox, program);
    return { sandbox, firstMs: firstInstructionMs(written), end: () => sandbox.kill() };
  } catch (error) {
    await sandbox.kill();
    throw error;
  }
}

const shownAt = '/skep/bench';
const liveMsMax = 600_000;

/** Resolves when the program in the sandbox has written; it stays until the sandbox is killed. */
function firstWritten(sandbox: Sandbox, program: Program): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let words = '';
    const argv = [...program.inside(shownAt), sandbox.id] as const;
    const exec = sandbox.exec({
      ...{ argv, timeoutMs: liveMsMax, outputBytesMax: 65_536 },
      onOutput(stream, chunk) {
        if (stream === 'stdout') resolve(chunk);
        else words = `${words}${chunk.toString('utf8')}`.slice(-2_000);
      },
    });
    exec.then(({ reason }) => reject(new Fault('failed', { message: words.trim() || `a command ended by ${reason}` })), reject);
  });
}
