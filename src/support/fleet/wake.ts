import type { Tx } from '../../db/database.ts';
import { notifyClaims } from './wake.sql.ts';

/** Something that held claims back is gone: who waits for work of the tenant looks again. */
export async function wakeClaims(tx: Tx): Promise<void> {
  await tx.query(notifyClaims, [tx.tenantId]);
}
