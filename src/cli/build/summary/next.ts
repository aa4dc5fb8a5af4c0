import type { Commands } from '../commands.ts';
import type { Outcome } from './outcome.ts';

/** What to type next, one line each; of the first comes most. */
export function nextSteps(outcome: Outcome, commands: Commands): readonly string[] {
  // Of a server that will be gone nothing can be asked.
  return stepsOf(outcome, commands).filter(line => line !== '');
}

function stepsOf(outcome: Outcome, commands: Commands): readonly string[] {
  const { standing, trunk, repository, isPublished, flagged, questions, rows } = outcome;
  const git = isPublished && repository !== null && trunk !== undefined ? commands.git(repository, trunk.branch) : [];
  const resume = commands.resume([outcome.sessionId.slice(0, 8)]);
  switch (standing) {
    case 'completed':
      return git;
    case 'refused':
      return outcome.redBase === undefined
        ? [resume]
        : [resume, commands.resume([outcome.sessionId.slice(0, 8), '--leave-out-red'])];
    case 'waiting':
      return [
        ...flagged.slice(0, 5).flatMap(({ ticket_id: id }) => deciding(id, commands)),
        ...questions.slice(0, 5).map(({ id }) => commands.skep('question', 'show', id.slice(0, 8))),
        resume,
      ];
    case 'failed': {
      const first = rows.find(({ status }) => status === 'failed');
      const red = first === undefined ? undefined : outcome.redReviews.get(first.id);
      return [
        ...(first === undefined ? [] : [commands.skep('ticket', 'log', first.id)]),
        ...(red === undefined ? [] : [commands.skep('review', 'show', red.id.slice(0, 8))]),
        commands.resume([outcome.sessionId.slice(0, 8), '--retry-failed']),
        ...git,
      ];
    }
    case 'rejected':
      return [commands.skep('result', 'list', '--session', outcome.sessionId.slice(0, 8)), ...git];
    case 'cancelled':
      return git;
    default:
      return [resume, ...git];
  }
}

function deciding(ticketId: string, commands: Commands): readonly string[] {
  return [commands.skep('change', 'diff', ticketId), commands.skep('change', 'approve', ticketId)];
}
