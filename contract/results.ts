import { z } from 'zod';
import { commit, id, text, ticketId, time } from './fields.ts';
import { checkEvidence } from './reviews.ts';

export const resultStates = ['submitted', 'validated', 'rejected'] as const;
export const proofs = ['unproven', 'proven'] as const;
/** What becomes of the open tickets of a spec whose result was validated. */
export const onResultFound = z.enum(['stop_all', 'do_nothing']);

/** One ticket's part of the evidence: what was merged, and what was checked before. */
const ticketEvidence = z.object({
  ticket_id: ticketId,
  title: z.string(),
  criteria: z.array(z.string()),
  proof: z.enum(proofs).nullable(),
  merge_sha: commit.nullable(),
  review_id: id.nullable(),
  checks: z.array(
    checkEvidence.pick({ name: true, outcome: true, exit_code: true, duration_ms: true, tests: true, flaky: true }),
  ),
});

export const resultEvidence = z.object({
  branch: z.string().nullable(),
  base_sha: commit.nullable(),
  head_sha: commit.nullable(),
  tickets: z.array(ticketEvidence),
});

export const result = z
  .object({
    id,
    spec_id: id,
    version: z.number().int(),
    state: z.enum(resultStates),
    proof: z.enum(proofs).meta({ description: 'unproven: at least one ticket was merged without a check' }),
    summary: z.string(),
    evidence: resultEvidence,
    criteria: z.array(z.string()).meta({ description: 'The acceptance criteria and technical requirements as they were' }),
    submitted_by: z.string(),
    reason: z.string().nullable(),
    created_at: time,
    decided_at: time.nullable(),
  })
  .meta({ id: 'Result' });

export const resultList = z.object({ results: z.array(result) });
export const resultSubmit = z.strictObject({ summary: text.min(1, 'say what was done') });
export const resultValidate = z
  .strictObject({ valid: z.boolean(), reason: text.default('') })
  .refine(value => value.valid || value.reason !== '', { error: 'say why it is rejected', path: ['reason'] });

export type WireResult = z.infer<typeof result>;
export type ResultEvidence = z.infer<typeof resultEvidence>;
export type Proof = (typeof proofs)[number];
