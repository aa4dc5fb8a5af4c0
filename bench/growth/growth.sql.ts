import { statement } from '../../src/db/statement.ts';

/** For rows that are known to fit: each would be looked up with its tenant, its project and its ticket. For superusers. */
export const trustRows = statement<object>('trust_rows', 'set session_replication_role = replica');

export const databaseBytes = statement<{ bytes: number }>(
  'database_bytes',
  'select pg_database_size(current_database())::float8 as bytes',
);
