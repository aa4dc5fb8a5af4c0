import { statement } from '../../db/statement.ts';
import { isOfTicket, runColumns, type RunRow } from './runs.sql.ts';

export const runsFiltered = statement<RunRow>(
  'runs_filtered',
  `select ${runColumns} from runs r
    where r.tenant_id = $1 and ($3::text is null or r.state = $3)
      and ($4::text is null or ${isOfTicket('r', '$4')})
      and ($7::text is null or r.worker = $7) and ($8::uuid is null or r.project_id = $8)
      and ($9::text is null or (r.health = $9 and r.lease_expires_at is not null))
      and ($5::timestamptz is null or (r.created_at, r.id) < ($5::timestamptz, $6::uuid))
    order by r.created_at desc, r.id desc limit $2`,
);

export interface RunDetailRow extends RunRow {
  readonly dueAt: Date;
  readonly agedAt: Date | null;
  readonly continues: string | null;
  readonly transcriptEvents: number;
}

/** With the run from whose work it goes on: the one before it, where that broke off and its work was carried over. */
export const runDetailById = statement<RunDetailRow>(
  'run_detail_by_id',
  `select ${runColumns}, r.due_at, r.aged_at,
          (select before.id from runs before
            where before.tenant_id = r.tenant_id and before.subject_type = r.subject_type and before.subject_id = r.subject_id
              and before.attempt = r.attempt - 1 and before.carried) as continues,
          coalesce((select max(e.seq) from transcript_events e where e.tenant_id = r.tenant_id and e.run_id = r.id), 0) as transcript_events
     from runs r where r.tenant_id = $1 and r.id = $2`,
);
