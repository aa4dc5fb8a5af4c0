import { z } from 'zod';
import { sandboxId } from '../../../contract/fleet/sandboxes.ts';

/** What a worker and the programs of its own user on its machine say to each other. Both are of one version. */

/** Bytes. */
export const stdinBytesMax = 16 * 2 ** 20;
export const outputBytesMax = 64 * 2 ** 20;
const argumentsMax = 1_000;
const timeoutMsMax = 86_400_000;

export const execRequest = z.strictObject({
  id: sandboxId,
  argv: z.array(z.string()).min(1).max(argumentsMax),
  cwd: z.string().max(4_096).optional(),
  timeout_ms: z.number().int().min(1).max(timeoutMsMax),
  /** Base64. */
  stdin: z.string().optional(),
});

/** Of an answer to exec, one JSON document a line: base64 of what was printed, and how it ended at last. */
export const execLine = z.union([
  z.strictObject({ stdout: z.string() }),
  z.strictObject({ stderr: z.string() }),
  z.strictObject({
    exit: z.discriminatedUnion('reason', [
      z.looseObject({ reason: z.literal('exited'), code: z.number().int() }),
      z.looseObject({ reason: z.literal('signaled'), signal: z.string() }),
      z.looseObject({ reason: z.literal('not_found') }),
      z.looseObject({ reason: z.literal('timeout') }),
      z.looseObject({ reason: z.literal('output_limit') }),
      z.looseObject({ reason: z.literal('aborted') }),
      z.looseObject({ reason: z.literal('out_of_memory') }),
      z.looseObject({ reason: z.literal('workspace_full') }),
    ]),
  }),
  z.strictObject({ error: z.string(), code: z.string(), hint: z.string().optional() }),
]);

export const sandboxesHere = z.object({ worker: z.string(), sandboxes: z.array(z.string()) });

export type ExecRequest = z.infer<typeof execRequest>;
export type ExecLine = z.infer<typeof execLine>;
export type ExecEnd = Extract<ExecLine, { exit: unknown }>['exit'];
