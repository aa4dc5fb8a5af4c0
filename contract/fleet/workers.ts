import { z } from 'zod';
import { id, time } from '../fields.ts';
import { workerName } from '../runs.ts';
import { sandboxesMax, sandboxId, sandboxReport, sandboxWorth } from './sandboxes.ts';

/** `left`: it said so; `gone`: it fell silent. */
export const workerStates = ['active', 'draining', 'left', 'gone'] as const;

/** What a worker offers: `agent:<kind>`, `checks`, `conflicts`, `plan`, `isolation:<level>`, and labels of its owner's as `label:<name>`. */
const capability = z.string().min(1).max(100);

export const workerBeat = z.strictObject({
  incarnation: id.meta({ description: 'Made anew by each process: a worker of the same name that comes later is another' }),
  host: z.string().trim().min(1).max(255),
  version: z.string().max(50),
  slots: z.number().int().min(1).max(1_000),
  capabilities: z.array(capability).max(100).default([]),
  sandbox: z.record(z.string().max(50), z.string().max(200)).default({}),
  worth: sandboxWorth.optional(),
  sandboxes: z.array(sandboxReport).max(sandboxesMax).default([]).meta({ description: 'Those that live' }),
  state: z.enum(['active', 'draining', 'left']).default('active'),
  is_first: z.boolean().default(false).meta({
    description: 'Until the first answer: takes the name over from a process that has it, which is refused from then on',
  }),
});

export const workerBeatAnswer = z.object({
  beat_ms: z.number().int().meta({ description: 'When the next one is expected' }),
  is_told_to_drain: z.boolean().meta({ description: 'A person wants it to claim nothing more' }),
  kills: z
    .array(z.object({ id: sandboxId, by: z.string() }))
    .default([])
    .meta({ description: 'Of the sandboxes that it told of, those that a person wants killed, and who' }),
});

export const worker = z
  .object({
    name: z.string(),
    incarnation: id,
    host: z.string(),
    version: z.string(),
    slots: z.number().int(),
    busy: z.number().int().meta({ description: 'Runs that it holds' }),
    capabilities: z.array(z.string()),
    sandbox: z.record(z.string(), z.string()),
    worth: sandboxWorth.nullable().optional(),
    state: z.enum(workerStates),
    is_told_to_drain: z.boolean(),
    started_at: time,
    beat_at: time,
  })
  .meta({ id: 'Worker' });
export const workerList = z.object({ workers: z.array(worker) });
export const byName = z.object({ name: workerName });

export type WorkerBeat = z.infer<typeof workerBeat>;
export type WireWorker = z.infer<typeof worker>;
