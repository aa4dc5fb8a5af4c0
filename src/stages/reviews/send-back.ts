import type { CheckEvidence, Flag } from '../../../contract/reviews.ts';
import type { Tx } from '../../db/database.ts';
import { countResolutions, countReturns, failWork, returnRun, submittedRunOf } from '../runs/index.ts';
import { getTicket, sendTicketBack } from '../tickets/index.ts';
import { feedbackOf } from './model/feedback.ts';
import type { ReviewSettings } from './parts.ts';

export interface SentBack {
  /** The ticket's run whose submission was not good enough. */
  readonly runId: string;
  readonly ticketId: string;
  readonly reason: string;
  readonly checks: readonly CheckEvidence[];
  /** Who or what refused it, where it was not the checks. */
  readonly rejection?: { readonly reason: string; readonly flags: readonly Flag[] };
  /** Where the next attempt goes on; null: where this one began. */
  readonly resumeSha: string | null;
}

/** Returns a resolution of a conflict with what was wrong; the changes stage sees to the next one, or to the end. */
export async function sendResolutionBack(
  tx: Tx,
  { runId, ticketId, checks, resumeSha, ...sent }: Omit<SentBack, 'reason'> & { readonly changeId: string },
): Promise<void> {
  const work = await submittedRunOf(tx, ticketId);
  const round = 1 + (work === undefined ? 0 : await countResolutions(tx, sent.changeId, work));
  const rejection = sent.rejection === undefined ? {} : { rejection: sent.rejection };
  await returnRun(tx, runId, { feedback: feedbackOf({ round, checks, ...rejection }), resumeSha });
}

/** Returns a submission with what was wrong, for another round; after the last one the ticket is failed. */
export async function sendBack(tx: Tx, { roundsMax }: ReviewSettings, sent: SentBack): Promise<void> {
  const { attempts } = await getTicket(tx, sent.ticketId);
  const round = 1 + (await countReturns(tx, { type: 'ticket', id: sent.ticketId, limit: attempts }));
  const rejection = sent.rejection === undefined ? {} : { rejection: sent.rejection };
  const feedback = feedbackOf({ round, checks: sent.checks, ...rejection });
  if ((await returnRun(tx, sent.runId, { feedback, resumeSha: sent.resumeSha })) === undefined) return;
  if (round < roundsMax) await sendTicketBack(tx, sent.ticketId, `round ${round}: ${sent.reason}`);
  else await failWork(tx, sent.ticketId, `gave up after ${round} rounds of review; the last: ${sent.reason}`);
}
