import { release } from 'node:os';
import { Fault } from '../../kernel/fault.ts';
import type { SandboxLimits } from '../../worker/sandbox.ts';

/** Less is no workspace for anything, and no file system with a journal. */
export const workspaceBytesMin = 8 * 2 ** 20;

/** Throws Fault `invalid_request` for a limit that is none. One that is larger than the machine is one. */
export function checkLimits(limits: SandboxLimits): void {
  for (const [name, value] of Object.entries(limits) as [keyof SandboxLimits, number][]) {
    const isWhole = name === 'cpuCount' || Number.isInteger(value);
    if (Number.isFinite(value) && isWhole && value > 0 && value <= Number.MAX_SAFE_INTEGER) continue;
    throw new Fault('invalid_request', {
      message: `the limit ${name} of a sandbox is ${value}`,
      hint: `give a ${name === 'cpuCount' ? '' : 'whole '}number above 0 and at most ${Number.MAX_SAFE_INTEGER}`,
    });
  }
  if (limits.workspaceBytes >= workspaceBytesMin) return;
  throw new Fault('invalid_request', {
    message: `the limit workspaceBytes of a sandbox is ${limits.workspaceBytes}`,
    hint: `give at least ${workspaceBytesMin} bytes`,
  });
}

/** Since Linux 5.14 the limit of processes counts per user namespace; before, it would count all that the user runs. */
export function countsPerNamespace(kernel = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(part => Number.parseInt(part, 10));
  return major > 5 || (major === 5 && minor >= 14);
}
