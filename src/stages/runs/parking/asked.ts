import type { Tx } from '../../../db/database.ts';
import type { QuestionRow } from '../../../support/questions/index.ts';
import { getTicket } from '../../tickets/index.ts';
import type { RunRow, StoredHalt } from '../runs.sql.ts';
import { lastClaimedRuns } from './parking.sql.ts';

/** What an agent's questions are about: not its run, so that a later attempt at the same has the answers. */
export function subjectOf({ subjectType, subjectId }: Pick<RunRow, 'subjectType' | 'subjectId'>): {
  readonly type: string;
  readonly id: string;
} {
  return { type: subjectType, id: subjectId };
}

/** Since when what is asked about it holds: a ticket that a person had begun anew has nothing of what was asked before. */
export async function askedSince(tx: Tx, { subjectType, subjectId }: Pick<RunRow, 'subjectType' | 'subjectId'>): Promise<Date> {
  if (subjectType !== 'ticket') return new Date(0);
  const { attempts } = await getTicket(tx, subjectId);
  return (await tx.query(lastClaimedRuns, [tx.tenantId, subjectId, attempts])).at(-1)?.createdAt ?? new Date(0);
}

/** The run ends its turn and waits for the answer. */
export function askingHalt({ id, text }: Pick<QuestionRow, 'id' | 'text'>): StoredHalt {
  return { kind: 'question', message: `The agent asks: ${text}`, questionId: id };
}
