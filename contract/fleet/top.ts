import { z } from 'zod';
import { id, time } from '../fields.ts';
import { runHealths, runStates, subjectTypes } from '../runs.ts';
import { brake } from './brake.ts';
import { worker } from './workers.ts';

/** Rows of one kind that are shown at most; the counts are of all. */
export const topRowsMax = 200;

const ms = z.number().int();

const liveRun = z
  .object({
    id,
    subject_type: z.enum(subjectTypes),
    subject_id: z.string(),
    ticket_id: z.string().nullable(),
    title: z.string().nullable().meta({ description: 'Of its ticket' }),
    project: z.string().nullable(),
    attempt: z.number().int(),
    state: z.enum(runStates),
    phase: z.string().nullable(),
    health: z.enum(runHealths),
    worker: z.string().nullable(),
    held_ms: ms.meta({ description: 'Since it was claimed' }),
    lease_left_ms: ms.meta({ description: 'Until it is taken back unless a heartbeat comes' }),
  })
  .meta({ id: 'TopRun' });

const retry = z
  .object({
    id,
    subject_type: z.enum(subjectTypes),
    subject_id: z.string(),
    ticket_id: z.string().nullable(),
    attempt: z.number().int(),
    due_in_ms: ms,
    reason: z.string().nullable().meta({ description: 'Of what the last attempt ended' }),
  })
  .meta({ id: 'TopRetry' });

export const top = z
  .object({
    at: time,
    queue: z.object({
      due: z.number().int().meta({ description: 'Runs that could be claimed now' }),
      later: z.number().int().meta({ description: 'Runs that wait before another try' }),
      aged: z.number().int().meta({ description: 'Of those due, how many have waited so long that they go first' }),
      oldest_ms: ms.nullable().meta({ description: 'How long the one that has waited longest has been due' }),
      held_back: z
        .array(z.object({ why: z.enum(['brake', 'limit', 'files', 'no_worker']), runs: z.number().int(), detail: z.string() }))
        .meta({ description: 'Why runs that are due are not claimed' }),
      waiting: z.number().int().meta({ description: 'Tickets that wait for a person' }),
      questions: z.number().int().meta({ description: 'Questions that wait for an answer' }),
    }),
    runs: z.array(liveRun),
    retries: z.array(retry),
    workers: z.array(worker),
    servers: z.array(
      z
        .object({
          id,
          name: z.string(),
          version: z.string(),
          url: z.string(),
          state: z.string(),
          started_at: time,
          beat_at: time,
        })
        .meta({ id: 'Server' }),
    ),
    breakers: z.array(
      z
        .object({ provider: z.string(), model: z.string(), state: z.string(), open_until: time.nullable(), changed_at: time })
        .meta({ id: 'Breaker' }),
    ),
    brake,
  })
  .meta({ id: 'Top' });

export type WireTop = z.infer<typeof top>;
