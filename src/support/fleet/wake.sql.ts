import { statement } from '../../db/statement.ts';

/** Reaches those who wait for work of the tenant, on every server, when and only when the transaction commits. */
export const notifyClaims = statement<object>('notify_claims', `select pg_notify('skep_runs', $1::text)`);
