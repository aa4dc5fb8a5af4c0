import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export interface Watched {
  readonly state: Tables['questions']['state'];
  readonly answer: string | null;
  readonly isOverdue: boolean;
  /** Whether the run that waits for it still holds its lease. */
  readonly isLive: boolean;
  /** It has waited for longer than a run should wait with it, or the run is stopped already. */
  readonly isLong: boolean;
}

/** A question that run $3 waits for, and whether it still does, and should for $4 ms in all; time is the database's. */
export const watchQuestion = statement<Watched>(
  'watch_question',
  `select q.state, q.answer, coalesce(q.due_at <= clock_timestamp(), false) as is_overdue,
          coalesce(r.lease_expires_at > clock_timestamp(), false) as is_live,
          r.halt is not null or q.created_at <= clock_timestamp() - make_interval(secs => $4::int / 1000.0) as is_long
     from questions q join runs r on r.tenant_id = q.tenant_id and r.id = $3 where q.tenant_id = $1 and q.id = $2`,
);
