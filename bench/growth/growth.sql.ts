import { statement } from '../../src/db/statement.ts';

/** For rows that are known to fit: each would be looked up with its tenant, its project and its ticket. For superusers. */
export const trustRows = statement<object>('trust_rows', 'set session_replication_role = replica');

/** What claims and hand-ins have left open: a server that starts on these tables finds only what waits. */
export const endOpenWork = [
  'delete from graphile_worker._private_jobs',
  `update runs set state = 'cancelled', lease_expires_at = null, ended_at = now() where state in ('leased', 'submitted')`,
  `update tickets set status = 'cancelled' where status in ('claimed', 'verifying')`,
].map((text, i) => statement<object>(`end_open_work_${i}`, text));

export const databaseBytes = statement<{ bytes: number }>(
  'database_bytes',
  'select pg_database_size(current_database())::float8 as bytes',
);
