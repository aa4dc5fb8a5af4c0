import { z } from 'zod';
import { check } from './projects.ts';
import { commit, id, pageLimit, ticketId, time } from './fields.ts';

export const testCounts = z
  .strictObject({ total: z.number().int(), passed: z.number().int(), failed: z.number().int(), skipped: z.number().int() })
  .meta({ id: 'TestCounts' });

export const outputTailMax = 16_384;

/** How one check ended on one commit: measured by the worker that ran it in a fresh sandbox. */
export const checkEvidence = check
  .extend({
    outcome: z.enum(['exited', 'signaled', 'timeout', 'output_limit', 'workspace_full', 'out_of_memory', 'not_found']),
    exit_code: z.number().int().nullable(),
    duration_ms: z.number().int().min(0),
    flaky: z.boolean().meta({ description: 'It was red at first and green when it was run again' }),
    tests: testCounts.nullable().meta({ description: 'null where its output does not tell' }),
    output_tail: z
      .string()
      .max(outputTailMax)
      .meta({ description: 'The end of what it printed; all of it is the log of the run' }),
  })
  .meta({ id: 'CheckEvidence' });

const flagKinds = ['tests', 'checks', 'ci', 'dependencies', 'fewer_tests'] as const;
/** What a person should look at before the work is merged. */
export const flag = z
  .object({ kind: z.enum(flagKinds), path: z.string().nullable(), what: z.string() })
  .meta({ id: 'ReviewFlag' });

/** What the next attempt is told of the last one. */
export const feedback = z
  .object({
    round: z.number().int(),
    text: z.string().meta({ description: 'For the agent to read: what was red and what it printed' }),
    checks: z.array(checkEvidence),
  })
  .meta({ id: 'Feedback' });

export const reviewKinds = ['base', 'submission', 'merge'] as const;
export const reviewStates = ['pending', 'running', 'passed', 'needs_work', 'failed', 'inconclusive'] as const;

export const review = z
  .object({
    id,
    kind: z.enum(reviewKinds).meta({
      description:
        'base: the commit that all work starts from; submission: what an agent handed in; merge: again, since the trunk moved',
    }),
    trunk_id: id,
    ticket_id: ticketId.nullable(),
    run_id: id.nullable().meta({ description: 'The run whose submission is reviewed' }),
    round: z.number().int(),
    state: z.enum(reviewStates),
    head_sha: commit.meta({ description: 'What was handed in' }),
    base_sha: commit.meta({ description: 'What it is to be merged into' }),
    candidate_sha: commit.meta({ description: 'What was checked: the two merged' }),
    checks: z.array(checkEvidence),
    flags: z.array(flag),
    reason: z.string().nullable(),
    created_at: time,
    ended_at: time.nullable(),
  })
  .meta({ id: 'Review' });

export const reviewFilter = z.object({ ticket_id: ticketId.optional(), trunk_id: id.optional(), limit: pageLimit });
export const reviewList = z.object({ reviews: z.array(review) });

export type TestCounts = z.infer<typeof testCounts>;
export type CheckEvidence = z.infer<typeof checkEvidence>;
export type Flag = z.infer<typeof flag>;
export type Feedback = z.infer<typeof feedback>;
export type WireReview = z.infer<typeof review>;
