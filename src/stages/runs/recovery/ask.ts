import type { Tx } from '../../../db/database.ts';
import { openQuestion } from '../../../support/questions/index.ts';
import { getTicket, ticketWaits } from '../../tickets/index.ts';
import { announceRun } from '../holder.ts';
import type { RunRow, StoredHalt } from '../runs.sql.ts';
import { haltEndedRow } from './recovery.sql.ts';

/** The attempts at a ticket have broken off again and again: it waits until a person has looked at that. */
export async function askAboutRun(tx: Tx, run: RunRow, reason: string): Promise<void> {
  const { specId, projectId } = await getTicket(tx, run.subjectId);
  if ((await ticketWaits(tx, run.subjectId, reason)) === undefined) return;
  const { id: questionId } = await openQuestion(tx, {
    kind: 'recovery',
    subject: { type: 'run', id: run.id },
    text: `The work on ${run.subjectId} ${reason}`.slice(0, textMax),
    options: [
      { id: 'again', label: 'Try again now; any other words are told to the next attempt' },
      { id: 'stop', label: 'Give the ticket up' },
    ],
    projectId,
    specId,
    ticketId: run.subjectId,
    runId: run.id,
  });
  const halt: StoredHalt = { kind: 'recovery', message: reason, questionId };
  await tx.query(haltEndedRow, [tx.tenantId, run.id, JSON.stringify(halt)]);
  announceRun(tx, run, { type: 'run.halted', halt: halt.kind, message: reason, questionId });
}

const textMax = 4_000;
