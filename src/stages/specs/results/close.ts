import type { Tx } from '../../../db/database.ts';
import { move } from '../../../kernel/machine.ts';
import { resultMachine } from '../model/result.ts';
import { closeResultRows, type ResultRow } from './results.sql.ts';

/** Rejects what nobody will decide any more: a newer version was handed in, or the spec is over. */
export async function closeResults(tx: Tx, specId: string, reason: string): Promise<void> {
  const { to, from } = move(resultMachine, 'reject');
  for (const result of await tx.query(closeResultRows, [tx.tenantId, specId, to, reason, from])) announceResult(tx, result);
}

const eventOf = { submitted: 'result.submitted', validated: 'result.validated', rejected: 'result.rejected' } as const;

export function announceResult(tx: Tx, { id, specId, version, state, proof, submittedBy, reason }: ResultRow): void {
  tx.announce({
    type: eventOf[state],
    subject: { type: 'result', id },
    payload: { specId, version, state, proof, submittedBy, ...(reason === null ? {} : { reason }) },
  });
}
