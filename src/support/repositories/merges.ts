import type { Tx } from '../../db/database.ts';
import { advanceTrunk, reserveTrunk, trunkNotPublished, trunkPublished, type TrunkRow } from './trunks.sql.ts';
import { announceTrunk } from './trunks.ts';

/** Keeps the trunk for one change, or with null for none: while it is checked again no other lands. The caller holds the row. */
export async function reserve(tx: Tx, trunkId: string, changeId: string | null): Promise<void> {
  await tx.query(reserveTrunk, [tx.tenantId, trunkId, changeId]);
}

/** Moves the head and ends the reservation. Undefined where the head is not `from` any more: then nothing has happened. */
export async function advance(tx: Tx, trunkId: string, step: { from: string; to: string }): Promise<TrunkRow | undefined> {
  const [trunk] = await tx.query(advanceTrunk, [tx.tenantId, trunkId, step.from, step.to]);
  return trunk;
}

/** The branch is at `commit` now, where it was at `from` before; told late it changes nothing. */
export async function markPublished(
  tx: Tx,
  trunkId: string,
  { commit, from }: { commit: string; from: string | null },
): Promise<void> {
  const [trunk] = await tx.query(trunkPublished, [tx.tenantId, trunkId, commit, from]);
  if (trunk !== undefined) announceTrunk(tx, trunk, { type: 'trunk.published', commit });
}

/** The user's repository did not take it; it is tried again in `retryMs`. */
export async function markUnpublished(tx: Tx, trunkId: string, failed: { error: string; retryMs: number }): Promise<void> {
  const [trunk] = await tx.query(trunkNotPublished, [tx.tenantId, trunkId, failed.error, failed.retryMs]);
  if (trunk !== undefined)
    announceTrunk(tx, trunk, { type: 'trunk.stalled', error: failed.error, attempts: trunk.publishAttempts });
}
