import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import type { Sandbox, SandboxCommand, SandboxExit, SandboxLimits, SandboxSpec } from '../../src/worker/sandbox.ts';

export const MiB = 2 ** 20;
export const PYTHON = '/usr/bin/python3';
export const hasPython = existsSync(PYTHON);

const folder = join(import.meta.dirname, '../fixtures/hostile');
const shownAt = '/skep/hostile';

/** The programs of test/fixtures/hostile, as a sandbox shows them. */
export const hostileFiles: SandboxSpec['files'] = readdirSync(folder)
  .filter(name => name.endsWith('.py'))
  .map(name => ({ path: `${shownAt}/${name}`, content: readFileSync(join(folder, name), 'utf8') }));

export function program(name: string, ...args: readonly (string | number)[]): SandboxCommand['argv'] {
  return [PYTHON, '-B', `${shownAt}/${name}.py`, ...args.map(String)];
}

/** Small, so that each is soon met. */
export const limits: SandboxLimits = {
  memoryBytes: 96 * MiB,
  processCount: 48,
  cpuCount: 1,
  tmpBytes: 4 * MiB,
  workspaceBytes: 32 * MiB,
};

export const gatewayLink = { path: '/skep/gateway.sock', onConnection: () => {} };

export function hostileSpec(id: string, more: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    id,
    limits,
    files: hostileFiles,
    folders: [],
    links: [gatewayLink],
    ...more,
  };
}

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: SandboxExit;
}

const keptBytesMax = 4 * MiB;

/** What it prints is kept up to 4 MiB. */
export async function run(
  sandbox: Sandbox,
  argv: SandboxCommand['argv'],
  { onOutput, ...more }: Partial<SandboxCommand> = {},
): Promise<Ended> {
  const output = { stdout: '', stderr: '' };
  const exit = await sandbox.exec({
    ...{ argv, timeoutMs: 20_000, outputBytesMax: keptBytesMax },
    onOutput(stream, chunk) {
      if (output[stream].length < keptBytesMax) output[stream] += chunk.toString();
      onOutput?.(stream, chunk);
    },
    ...more,
  });
  return { ...output, exit };
}

/** A file of this name at most 7 folders below. */
export function findBelow(folder: string, name: string, depth = 7): string | undefined {
  if (depth === 0) return undefined;
  const entries = readdirSync(folder, { withFileTypes: true });
  if (entries.some(entry => entry.name === name)) return join(folder, name);
  for (const entry of entries.filter(each => each.isDirectory())) {
    const found = findBelow(join(folder, entry.name), name, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Living processes with this word in their arguments or their environment; whoever renames itself keeps the second. */
export function marked(mark: string): number[] {
  return allPids().filter(pid => {
    const info = processInfo(pid);
    return info !== undefined && !info.zombie && (info.argv.includes(mark) || environmentOf(pid).includes(mark));
  });
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}
