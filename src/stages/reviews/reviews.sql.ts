import type { CheckEvidence, Flag } from '../../../contract/reviews.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

type Columns = Tables['reviews'];

export interface ReviewRow extends Columns {
  checks: CheckEvidence[];
  flags: Flag[];
}

const columns = `v.id, v.tenant_id, v.kind, v.trunk_id, v.ticket_id, v.run_id, v.round, v.state, v.head_sha, v.base_sha, v.candidate_sha,
  v.checks, v.flags, v.reason, v.created_at, v.ended_at`;

/** A review runs while a worker holds its run: no row of its own says so. */
const shown = columns.replace(
  'v.state,',
  `case when v.state = 'pending' and exists (
     select from runs r where r.tenant_id = v.tenant_id and r.subject_type = 'review' and r.subject_id = v.id::text
        and r.state in ('leased', 'starting', 'working', 'submitted')) then 'running' else v.state end as state,`,
);

export const reviewById = statement<ReviewRow>(
  'review_by_id',
  `select ${shown} from reviews v where v.tenant_id = $1 and v.id = $2`,
);

export const reviewForUpdate = statement<ReviewRow>(
  'review_for_update',
  `select ${columns} from reviews v where v.tenant_id = $1 and v.id = $2 for no key update of v`,
);

export const reviewsFiltered = statement<ReviewRow>(
  'reviews_filtered',
  `select ${shown} from reviews v
    where v.tenant_id = $1 and ($2::text is null or v.ticket_id = $2) and ($3::uuid is null or v.trunk_id = $3)
    order by v.created_at desc, v.id limit $4`,
);

export const insertReview = statement<ReviewRow>(
  'insert_review',
  `insert into reviews as v (tenant_id, kind, trunk_id, ticket_id, run_id, round, head_sha, base_sha, candidate_sha, flags)
   select $1, $2, $3, $4, $5::uuid, 1 + count(w.id), $6, $7, $8, $9::jsonb
     from reviews w where w.tenant_id = $1 and w.trunk_id = $3 and w.kind = $2 and w.ticket_id is not distinct from $4::text
   on conflict do nothing returning ${columns}`,
);

/** All that is known of what a run handed in, newest first. */
export const reviewsOfRun = statement<ReviewRow>(
  'reviews_of_run',
  `select ${columns} from reviews v where v.tenant_id = $1 and v.trunk_id = $2 and v.run_id = $3 order by v.created_at desc, v.id`,
);

export const workReviewsOfTrunk = statement<ReviewRow>(
  'work_reviews_of_trunk',
  `select ${columns} from reviews v
    where v.tenant_id = $1 and v.trunk_id = $2 and v.kind <> 'base' order by v.created_at, v.id`,
);

export const endReviewRow = statement<ReviewRow>(
  'end_review',
  `update reviews v set state = $3, checks = $4::jsonb, flags = $5::jsonb, reason = $6, ended_at = clock_timestamp()
    where v.tenant_id = $1 and v.id = $2 and v.state in ('pending', 'running') returning ${columns}`,
);

export const dropReviewsOfTicket = statement<ReviewRow>(
  'drop_reviews_of_ticket',
  `update reviews v set state = 'inconclusive', reason = 'the ticket goes no further', ended_at = clock_timestamp()
    where v.tenant_id = $1 and v.ticket_id = $2 and v.state in ('pending', 'running')
      and (exists (select from tickets t where t.tenant_id = v.tenant_id and t.id = v.ticket_id and t.status in ('cancelled', 'failed'))
        or not exists (select from runs r where r.tenant_id = v.tenant_id and r.id = v.run_id and r.state = 'submitted'))
    returning ${columns}`,
);

/** How the checks ended on the base commit, for comparison. */
export const lastBaseReview = statement<ReviewRow>(
  'last_base_review',
  `select ${columns} from reviews v
    where v.tenant_id = $1 and v.trunk_id = $2 and v.kind = 'base' and v.ended_at is not null order by v.created_at desc limit 1`,
);

/** Reviews that no run is about any more, older than $1 ms: a lost job, or a run that was cancelled. */
export const reviewsWithoutRun = statement<{ tenantId: string; id: string }>(
  'reviews_without_run',
  `select v.tenant_id, v.id from reviews v
    where v.state = 'pending' and v.created_at < now() - make_interval(secs => $1::int / 1000.0)
      and not exists (select from runs r where r.tenant_id = v.tenant_id and r.subject_type = 'review' and r.subject_id = v.id::text
                       and r.state in ('queued', 'leased', 'starting', 'working', 'submitted'))
    order by v.created_at limit 100`,
);

/** By the event's time; one that has no position yet is looked for where those few are. */
const saidLately = (which: string) => `exists (select from events e where e.tenant_id = r.tenant_id and e.subject_id = r.id::text
        and e.type = 'run.submitted' and e.position is ${which} and not e.at < now() - make_interval(secs => $1::int / 1000.0))`;

const submittedLongAgo = `r.state = 'submitted' and r.leased_at < now() - make_interval(secs => $1::int / 1000.0)
      and not ${saidLately('not null')} and not ${saidLately('null')}`;

/** Work that was handed in and that no review is about, for longer than $1 ms. */
export const submissionsWithoutReview = statement<{ tenantId: string; id: string }>(
  'submissions_without_review',
  `select r.tenant_id, r.id from runs r
    where r.subject_type in ('ticket', 'conflict') and ${submittedLongAgo}
      and not exists (select from reviews v where v.tenant_id = r.tenant_id and v.run_id = r.id)
    order by r.leased_at limit 100`,
);

/** Evidence that was handed in and not judged, for longer than $1 ms. */
export const evidenceWithoutVerdict = statement<{ tenantId: string; id: string }>(
  'evidence_without_verdict',
  `select r.tenant_id, r.id from runs r where r.subject_type = 'review' and ${submittedLongAgo} order by r.leased_at limit 100`,
);

export const trunksInPreparation = statement<{ tenantId: string; id: string }>(
  'trunks_in_preparation',
  `select tenant_id, id from trunks where state = 'preparing' and updated_at < now() - make_interval(secs => $1::int / 1000.0)
    order by updated_at limit 100`,
);
