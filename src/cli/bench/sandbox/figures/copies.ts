import { randomBytes } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { Fault } from '../../../../kernel/fault.ts';
import type { SandboxSpec } from '../../../../worker/index.ts';
import { benchMark } from '../ways/provided.ts';
import type { Means } from '../ways/provided.ts';

export type Snapshot = NonNullable<SandboxSpec['from']>[number];

/** Of the repository whose working copy is measured. */
export const repositoryFiles = 10_000;
const filesAFolder = 100;
const linesAFile = 60;
/** Disk that a copy takes where nothing is shared: the files, git's, and the file system itself. */
const copyBytes = 100 * 2 ** 20;
export const copyLimits = (limits: SandboxSpec['limits']): SandboxSpec['limits'] => ({
  ...limits,
  workspaceBytes: 256 * 2 ** 20,
});

/** So many copies that share nothing the disk of `home` can hold, and have room left. */
export function copiesThatFit(home: string): number {
  const { bavail, bsize } = statfsSync(home);
  return Math.floor((bavail * bsize) / 2 / copyBytes);
}

/** A workspace in which a repository of 10,000 files is checked out, as a snapshot. Throws Fault `failed` where git is lacking in it. */
export function repositorySnapshot(means: Means, signal: AbortSignal): Promise<Snapshot> {
  const commands: readonly Command[] = [
    { argv: ['git', 'init', '--quiet', '.'] },
    { argv: ['git', 'fast-import', '--quiet'], stdin: repository() },
    { argv: ['git', 'reset', '--quiet', '--hard', 'main'] },
  ];
  return snapshotAfter(commands, means, signal);
}

export const dependencyFiles = 5_000;

/** What a setup command might have left, as a snapshot. */
export function dependenciesSnapshot(means: Means, signal: AbortSignal): Promise<Snapshot> {
  const script =
    'i=0; while [ $i -lt $1 ]; do d=node_modules/p$((i / 20)); [ -d $d ] || mkdir -p $d; echo "module.exports = $i" > $d/f$i.js; i=$((i + 1)); done';
  // shell: as many small files as a package manager unpacks, by nothing but the shell itself; the number comes as an argument.
  return snapshotAfter([{ argv: ['sh', '-c', script, 'skep', String(dependencyFiles)] }], means, signal);
}

interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly stdin?: string;
}

async function snapshotAfter(commands: readonly Command[], { provider, limits }: Means, signal: AbortSignal): Promise<Snapshot> {
  const id = `${benchMark}begins-${randomBytes(4).toString('hex')}`;
  const sandbox = await provider.create({ id, limits, files: [], folders: [] });
  try {
    for (const command of commands) await run(command);
    if (sandbox.snapshot === undefined) throw new Fault('failed', { message: 'sandboxes of this kind have no snapshots' });
    return await sandbox.snapshot();
  } finally {
    await sandbox.kill();
  }

  async function run(command: Command): Promise<void> {
    let words = '';
    const exit = await sandbox.exec({
      ...{ ...command, signal, timeoutMs: 120_000, outputBytesMax: 65_536 },
      onOutput: (_, chunk) => void (words = `${words}${chunk.toString('utf8')}`.slice(-1_000)),
    });
    signal.throwIfAborted();
    if (exit.reason === 'exited' && exit.code === 0) return;
    const what = command.argv.slice(0, 2).join(' ');
    throw new Fault('failed', { message: `${what} in a sandbox: ${words.trim() || exit.reason}` });
  }
}

/** One commit, as git's fast-import reads it. */
function repository(): string {
  const files = Array.from({ length: repositoryFiles }, (_, i) => {
    const text = `line of file ${i}, as long as lines are\n`.repeat(linesAFile);
    return `M 100644 inline folder-${Math.floor(i / filesAFolder)}/file-${i}.txt\ndata ${text.length}\n${text}`;
  });
  return `commit refs/heads/main\ncommitter Skep <skep@localhost> 0 +0000\ndata 5\nfirst\n${files.join('\n')}\n`;
}
