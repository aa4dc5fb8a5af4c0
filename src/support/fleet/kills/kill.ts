import type { Tx } from '../../../db/database.ts';
import { Fault } from '../../../kernel/fault.ts';
import { insertKill, killOfSandbox, type KillRow, workerOfSandbox } from './kills.sql.ts';

/**
 * Has a sandbox killed: its worker hears it with its next beat. Said again, it changes nothing and answers who said it first. Throws
 * Fault `sandbox_not_found` where no worker tells of it.
 */
export async function killSandbox(tx: Tx, sandboxId: string): Promise<KillRow> {
  const [before] = await tx.query(killOfSandbox, [tx.tenantId, sandboxId]);
  if (before !== undefined) return before;
  const [there] = await tx.query(workerOfSandbox, [tx.tenantId, sandboxId]);
  if (there === undefined) throw noSandbox(sandboxId);
  const [asked] = await tx.query(insertKill, [tx.tenantId, sandboxId, tx.actor]);
  if (asked === undefined) return killSandbox(tx, sandboxId);
  tx.announce({ type: 'sandbox.killed', subject: { type: 'sandbox', id: sandboxId }, payload: { ...there } });
  return asked;
}

export function noSandbox(id: string): Fault {
  return new Fault('sandbox_not_found', {
    message: `No worker tells of a sandbox ${id}`,
    hint: "'skep sandbox list' shows those that live",
  });
}
