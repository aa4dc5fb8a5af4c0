import { z } from 'zod';
import { commit, id, pageLimit, text, ticketId, time } from './fields.ts';
import { flag } from './reviews.ts';

export const changeStates = ['open', 'queued', 'merging', 'merged', 'conflict', 'closed'] as const;
export const approvals = ['not_needed', 'needed', 'given'] as const;

/** The work of one ticket on its way into the trunk; one a ticket, however often it is tried. */
export const change = z
  .object({
    id,
    trunk_id: id,
    ticket_id: ticketId,
    title: z.string(),
    state: z.enum(changeStates),
    approval: z.enum(approvals).meta({ description: 'needed: a person must look at the flags first' }),
    head_sha: commit,
    base_sha: commit.meta({ description: 'What it was last reviewed against' }),
    merge_sha: commit.nullable(),
    review_id: id,
    run_id: id,
    flags: z.array(flag),
    conflict_files: z.array(z.string()),
    reason: z.string().nullable(),
    created_at: time,
    queued_at: time.nullable(),
    merged_at: time.nullable(),
  })
  .meta({ id: 'Change' });

export const changeFilter = z.object({
  state: z.enum(changeStates).optional(),
  ticket_id: ticketId.optional(),
  trunk_id: id.optional(),
  limit: pageLimit,
});
export const changeList = z.object({ changes: z.array(change) });
/** An approval is of one head: of another one nothing was seen. */
export const changeApprove = z.strictObject({ head_sha: commit });
export const changeReject = z.strictObject({ reason: text.min(1, 'say why, so that the next attempt can be better') });

export type WireChange = z.infer<typeof change>;
