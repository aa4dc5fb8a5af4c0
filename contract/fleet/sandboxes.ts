import { z } from 'zod';
import { id, time } from '../fields.ts';

/** How sandboxes are made: bubblewrap on this machine, an OCI container, or a plain process, which is none. */
export const sandboxKinds = ['local', 'oci', 'process'] as const;

/**
 * What stands between what runs in a sandbox and its host, weakest first: nothing; namespaces of the host's own kernel, with a filter of
 * system calls; a kernel of its own in user space, such as gVisor; a machine of its own.
 */
export const isolationLevels = ['none', 'namespaces', 'kernel', 'machine'] as const;

/** `enforced`: the system holds it; `advisory`: it stops accidents and no attacker; `none`: nothing holds it. */
export const holds = ['enforced', 'advisory', 'none'] as const;
const hold = z.enum(holds);

export const sandboxLimits = ['memory', 'processes', 'cpu', 'tmp', 'workspace', 'output', 'time'] as const;

/** What the sandboxes of one worker are worth. */
export const sandboxWorth = z
  .strictObject({
    kind: z.enum(sandboxKinds),
    isolation: z.enum(isolationLevels),
    limits: z.record(z.enum(sandboxLimits), hold),
    network: hold.meta({ description: 'Whether it reaches nothing but what is opened for it' }),
  })
  .meta({ id: 'SandboxWorth' });

export const sandboxStates = ['answering', 'frozen', 'idle'] as const;

/** Names one sandbox for ever. */
export const sandboxId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$/, 'a sandbox is named by at most 100 letters, digits, dashes and dots');

/** Of one worker, with one beat. */
export const sandboxesMax = 200;

/** A sandbox as the worker that made it tells of it, with each beat. */
export const sandboxReport = z.strictObject({
  id: sandboxId,
  run_id: id.nullable(),
  state: z.enum(sandboxStates),
  made_at: time,
  limits: z.strictObject({
    memory_bytes: z.number().int(),
    process_count: z.number().int(),
    cpu_count: z.number(),
    tmp_bytes: z.number().int(),
    workspace_bytes: z.number().int(),
  }),
  use: z.strictObject({
    memory_bytes: z.number().int(),
    processes: z.number().int(),
    cpu_ms: z.number().int(),
    workspace_bytes: z.number().int().nullable(),
  }),
});

export type SandboxKind = (typeof sandboxKinds)[number];
export type IsolationLevel = (typeof isolationLevels)[number];
export type Hold = (typeof holds)[number];
export type SandboxWorth = z.infer<typeof sandboxWorth>;
export type SandboxReport = z.infer<typeof sandboxReport>;

/** What a worker whose sandboxes give `level` offers: that and all below. Where they give none there is nothing to offer. */
export function isolationsOffered(level: IsolationLevel): string[] {
  return isolationLevels.slice(1, isolationLevels.indexOf(level) + 1).map(each => `isolation:${each}`);
}

/** Whether `given` is at least `least`. */
export function suffices(given: IsolationLevel, least: IsolationLevel): boolean {
  return isolationLevels.indexOf(given) >= isolationLevels.indexOf(least);
}
