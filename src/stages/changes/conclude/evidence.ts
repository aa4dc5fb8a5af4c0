import type { Proof, ResultEvidence } from '../../../../contract/results.ts';
import type { SpecRow } from '../../specs/index.ts';
import type { TrunkRow } from '../../../support/repositories/index.ts';
import type { WorkRow } from './conclude.sql.ts';

/** All that is looked at to say whether a spec is done. */
export interface Findings {
  readonly spec: SpecRow;
  /** Its tickets and its epic, in the order in which they were made. */
  readonly work: readonly WorkRow[];
  readonly trunk: TrunkRow | undefined;
  /** Whether the project has a repository of the user's that the branch is pushed to. */
  readonly hasRepository: boolean;
}

/** What is claimed: the trunk, and of each ticket that was not cancelled what was merged. An open one has no proof. */
export function gatherEvidence({ work, trunk }: Findings): ResultEvidence {
  return {
    branch: trunk?.branch ?? null,
    base_sha: trunk?.baseSha ?? null,
    head_sha: trunk?.headSha ?? null,
    tickets: claimedOf(work).map(ticket => ({
      ticket_id: ticket.id,
      title: ticket.title,
      criteria: ticket.acceptanceCriteria,
      proof: ticket.proof,
      ...(ticket.changeState === 'merged'
        ? { merge_sha: ticket.mergeSha, review_id: ticket.reviewId, checks: ticket.checks }
        : { merge_sha: null, review_id: null, checks: [] }),
    })),
  };
}

/** The acceptance criteria and technical requirements as they are now, each once. */
export function gatherCriteria({ spec, work }: Findings): string[] {
  return [
    ...new Set([...(spec.card?.technical_requirements ?? []), ...claimedOf(work).flatMap(ticket => ticket.acceptanceCriteria)]),
  ];
}

/** A chain is as strong as its weakest link; what has none holds nothing. */
export function proofOf(work: readonly WorkRow[]): Proof {
  const proofs = completedOf(work).map(ticket => ticket.proof);
  return proofs.length > 0 && proofs.every(proof => proof === 'proven') ? 'proven' : 'unproven';
}

/** In Skep's words, for its own submission. */
export function summarise({ work, trunk }: Findings): string {
  const completed = completedOf(work);
  const unproven = completed.filter(ticket => ticket.proof === 'unproven');
  const cancelled = ticketsOf(work).filter(ticket => ticket.status === 'cancelled');
  const said = [
    `${completed.length} of ${ticketsOf(work).length} tickets completed${trunk === undefined ? '' : ` on ${trunk.branch}`}`,
  ];
  if (unproven.length > 0) said.push(`unproven: ${listOf(unproven)}`);
  if (cancelled.length > 0) said.push(`cancelled: ${listOf(cancelled)}`);
  return said.join('; ');
}

/** Nothing of it can move any more, and something of it was done. */
export function isOver(work: readonly WorkRow[]): boolean {
  return completedOf(work).length > 0 && work.every(({ status }) => status === 'completed' || status === 'cancelled');
}

export function completedOf(work: readonly WorkRow[]): WorkRow[] {
  return ticketsOf(work).filter(ticket => ticket.status === 'completed');
}

/** Whether two evidences are of the same finished work, whatever else was open when they were gathered. */
export function sameWork(one: ResultEvidence, other: ResultEvidence): boolean {
  const done = ({ tickets }: ResultEvidence) => tickets.filter(({ proof }) => proof !== null).map(ticket => ticket.ticket_id);
  return one.head_sha === other.head_sha && done(one).join() === done(other).join();
}

const idsShownMax = 20;

export function listOf(tickets: readonly WorkRow[]): string {
  const shown = tickets.slice(0, idsShownMax).map(ticket => ticket.id);
  return tickets.length > shown.length ? `${shown.join(', ')} and ${tickets.length - shown.length} more` : shown.join(', ');
}

function claimedOf(work: readonly WorkRow[]): WorkRow[] {
  return ticketsOf(work).filter(ticket => ticket.status !== 'cancelled');
}

function ticketsOf(work: readonly WorkRow[]): WorkRow[] {
  return work.filter(ticket => ticket.type !== 'epic');
}
