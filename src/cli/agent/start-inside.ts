import { randomBytes } from 'node:crypto';
import type { SandboxProvider, SandboxSpec } from '../../worker/index.ts';

interface Program {
  readonly argv: readonly [string, ...string[]];
  readonly folders: SandboxSpec['folders'];
}

/** As in a run, but for the memory: an agent that only says its version needs little. */
const limits = {
  memoryBytes: 1_024 * 2 ** 20,
  processCount: 256,
  cpuCount: 2,
  tmpBytes: 64 * 2 ** 20,
  workspaceBytes: 64 * 2 ** 20,
};
const startMsMax = 60_000;
const outputBytesMax = 65_536;

/** Starts a program in a sandbox of its own. `printed`: what it said, or how it ended where it said nothing. */
export async function startInside(
  sandboxes: SandboxProvider,
  { argv, folders }: Program,
): Promise<{ readonly ok: boolean; readonly printed: string }> {
  const sandbox = await sandboxes.create({ id: `doctor-${randomBytes(4).toString('hex')}`, limits, files: [], folders });
  let printed = '';
  try {
    const exit = await sandbox.exec({
      ...{ argv, timeoutMs: startMsMax, outputBytesMax },
      onOutput: (_stream, chunk) => void (printed += chunk.toString('utf8')),
    });
    const ok = exit.reason === 'exited' && exit.code === 0;
    return { ok, printed: printed.trim().slice(0, 1_000) || exit.reason.replaceAll('_', ' ') };
  } finally {
    await sandbox.kill();
  }
}
