import { randomBytes } from 'node:crypto';
import { Fault } from '../../kernel/fault.ts';
import type { Sandbox, SandboxLimits, SandboxProbe, SandboxSpec } from '../../worker/sandbox.ts';

/** Looks at files as every agent does, which a kernel of its own may refuse where it can start a program. */
const argv = ['ls', '-l', '/usr/bin/env', '/work'] as const;
const limits: SandboxLimits = {
  memoryBytes: 256 * 2 ** 20,
  processCount: 16,
  cpuCount: 1,
  tmpBytes: 2 ** 20,
  workspaceBytes: 16 * 2 ** 20,
};
const msMax = 30_000;
const wordsMax = 500;

/** Makes, uses and removes a sandbox. Throws Fault `sandbox_unavailable`, with `mend` as its hint where the program in it says that it fails. */
export async function tryOut(make: (spec: SandboxSpec) => Promise<Sandbox>, mend: string): Promise<void> {
  const sandbox = await make({ id: `probe-${randomBytes(4).toString('hex')}`, limits, files: [], folders: [] });
  let said = '';
  try {
    const exit = await sandbox.exec({
      ...{ argv, timeoutMs: msMax, outputBytesMax: 65_536 },
      onOutput: (stream, chunk) => void (said += stream === 'stderr' ? chunk.toString() : ''),
    });
    if (exit.reason === 'exited' && exit.code === 0) return;
    const words = said.trim().slice(0, wordsMax);
    const isItsOwn = exit.reason === 'exited';
    const why = isItsOwn && words !== '' ? words : [JSON.stringify(exit), words].filter(part => part !== '').join(' ');
    throw new Fault('sandbox_unavailable', {
      message: `"${argv.join(' ')}" in a sandbox failed: ${why}`,
      // One that was ended has not shown what is wrong with it.
      ...(isItsOwn ? { hint: mend } : {}),
    });
  } finally {
    await sandbox.kill();
  }
}

/** What is wrong with the programs in a sandbox whose kernel is the host's. */
export const mendPrograms = `see that all users may read and start the programs of /usr: \`${argv.join(' ')}\` as another user says more`;

export function refusalOf(error: unknown): Extract<SandboxProbe, { ok: false }> {
  const hint = (error instanceof Fault && error.hint) || `${manual}; SKEP_SANDBOX chooses another kind`;
  return { ok: false, why: error instanceof Error ? error.message : String(error), hint };
}

const manual = 'docs/sandbox.md, "When it cannot be made", has what each kind needs';
