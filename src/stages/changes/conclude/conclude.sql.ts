import type { ResultEvidence } from '../../../../contract/results.ts';
import { statement } from '../../../db/statement.ts';
import type { Tables } from '../../../db/tables.gen.ts';

type Ticket = Tables['tickets'];
type Change = Tables['changes'];

/** A ticket of a spec (its epic too) with what was merged of it and how that was checked. */
export interface WorkRow extends Pick<Ticket, 'id' | 'type' | 'title' | 'status' | 'proof'> {
  acceptanceCriteria: string[];
  changeState: Change['state'] | null;
  headSha: string | null;
  mergeSha: string | null;
  mergeNumber: number | null;
  reviewId: string | null;
  reviewState: Tables['reviews']['state'] | null;
  reviewedSha: string | null;
  checks: ResultEvidence['tickets'][number]['checks'];
  /** An accepted run of it came with commits. */
  handedIn: boolean;
}

/** Checks without what they printed: of 2,000 tickets that would be hundreds of megabytes. */
export const workOfSpec = statement<WorkRow>(
  'work_of_spec',
  `select t.id, t.type, t.title, t.status, t.proof, t.acceptance_criteria,
          c.state as change_state, c.head_sha, c.merge_sha, c.merge_number,
          v.id as review_id, v.state as review_state, v.head_sha as reviewed_sha,
          coalesce((select jsonb_agg(jsonb_build_object('name', e -> 'name', 'outcome', e -> 'outcome', 'exit_code', e -> 'exit_code',
                                                        'duration_ms', e -> 'duration_ms', 'tests', e -> 'tests', 'flaky', e -> 'flaky')
                                     order by place)
                      from jsonb_array_elements(v.checks) with ordinality as x (e, place)), '[]') as checks,
          exists (select from runs r where r.tenant_id = t.tenant_id and r.subject_type = 'ticket' and r.subject_id = t.id and r.state = 'accepted'
                     and r.result ->> 'bundle' is not null) as handed_in
     from tickets t
     left join changes c on c.tenant_id = t.tenant_id and c.ticket_id = t.id
     left join reviews v on v.tenant_id = c.tenant_id and v.id = c.review_id
    where t.tenant_id = $1 and t.spec_id = $2
    order by t.number`,
);
