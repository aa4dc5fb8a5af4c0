import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export interface Watched {
  readonly state: Tables['questions']['state'];
  readonly answer: string | null;
  readonly isOverdue: boolean;
  /** Whether the run that waits for it still holds its lease. */
  readonly isLive: boolean;
}

/** A question that a run waits for, and whether it still does; time is the database's. */
export const watchQuestion = statement<Watched>(
  'watch_question',
  `select q.state, q.answer, coalesce(q.due_at <= clock_timestamp(), false) as is_overdue,
          coalesce(r.lease_expires_at > clock_timestamp(), false) as is_live
     from questions q join runs r on r.tenant_id = q.tenant_id and r.id = q.run_id where q.tenant_id = $1 and q.id = $2`,
);
