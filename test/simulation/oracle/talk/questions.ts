import type { Claimed } from '../../../../contract/runs.ts';
import type { Witness } from '../../world/parts.ts';
import {
  becomes,
  changesOf,
  type Commit,
  type FactsOf,
  type Rule,
  type Snapshot,
  type TicketFacts,
  type Violate,
} from '../types.ts';

type Question = FactsOf['questions'];

export interface Questions extends Rule, Pick<Witness, 'heard' | 'begins'> {
  readonly decided: number;
}

/** What was asked since a ticket was begun, or begun anew. */
interface Asked {
  /** Attempts that were claimed since then. */
  readonly runs: Set<string>;
  readonly questions: Set<string>;
}

const over: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

/**
 * A question is decided once, by a person or by its time; who waits for it goes on when it is, and not before; and every later attempt at
 * the same ticket is told of it.
 */
export function createQuestions(violate: Violate): Questions {
  const rows = new Map<string, Question>();
  const decidedAt = new Map<string, number>();
  const ofTicket = new Map<string, Asked>();
  const leasedAt = new Map<string, number>();
  let snapshot: Snapshot | undefined;

  function look(commit: Commit, now: Snapshot): void {
    snapshot = now;
    for (const { before, after } of changesOf(commit, 'tickets'))
      if (after !== undefined && isAnew(before, after)) ofTicket.delete(after.id);
    for (const change of changesOf(commit, 'runs')) {
      const { before, after } = change;
      if (after === undefined) continue;
      if (becomes(change, 'leased')) {
        leasedAt.set(after.id, commit.at);
        if (after.subject_type === 'ticket') askedOf(after.subject_id).runs.add(after.id);
      }
      if (after.resumed && before?.resumed === false)
        goesOn(before.halt?.questionId, `attempt ${after.attempt} at ${after.subject_id}`);
    }
    for (const { before, after } of changesOf(commit, 'questions')) {
      if (after === undefined) continue;
      rows.set(after.id, after);
      if (before === undefined) open(after);
      else if (before.state === 'pending' && after.state !== 'pending') decide(after, commit, now);
      else if (before.state !== after.state || before.answer !== after.answer)
        violate('a question is decided once', `it was ${told(before)}, and is ${told(after)}`);
    }
  }

  function open({ id, kind, ticket_id: ticketId, run_id: runId }: Question): void {
    if (kind !== 'ask' || ticketId === null || runId === null) return;
    const asked = askedOf(ticketId);
    if (asked.runs.has(runId)) asked.questions.add(id);
  }

  function decide(question: Question, { at }: Commit, now: Snapshot): void {
    const { id, kind, state, answer, ticket_id: ticketId, default_answer: fallback } = question;
    decidedAt.set(id, at);
    if (state !== 'expired') return;
    if (answer !== fallback) violate('the default holds', `it is ${told(question)}, and the default was ${fallback}`);
    if (kind !== 'ask' || isInTime(question)) return;
    const ticket = now.all('tickets').find(each => each.id === ticketId);
    // Nothing waits for it any more, or what waits was begun anew.
    if (ticket !== undefined && !over.has(ticket.status) && ticket.attempts > 0)
      violate('a question has its time', `one of ${ticketId} expired before it was due, and its ticket is ${ticket.status}`);
  }

  function goesOn(questionId: string | undefined, who: string): void {
    const question = questionId === undefined ? undefined : rows.get(questionId);
    if (question?.state === 'pending')
      violate('who waits for an answer goes on with it', `${who} goes on, and nobody has answered`);
  }

  function askedOf(ticketId: string): Asked {
    const asked = ofTicket.get(ticketId) ?? { runs: new Set(), questions: new Set() };
    ofTicket.set(ticketId, asked);
    return asked;
  }

  return {
    look,
    heard(ticketId, outcome, answer) {
      const state = outcome === 'answered' ? 'answered' : 'expired';
      const isSo = (snapshot?.all('questions') ?? []).some(
        each => each.ticket_id === ticketId && each.kind === 'ask' && each.state === state && each.answer === answer,
      );
      if (!isSo)
        violate('an agent is told what was decided', `${ticketId} was told ${outcome} ${String(answer)}, which nobody said`);
    },
    begins({ run, ticket, task }: Claimed) {
      if (run.subject_type !== 'ticket' || ticket === null) return;
      const answers = task.answers ?? [];
      for (const id of ofTicket.get(ticket.id)?.questions ?? []) {
        const question = rows.get(id);
        const isBefore = (decidedAt.get(id) ?? Infinity) < (leasedAt.get(run.id) ?? 0);
        if (question === undefined || !isBefore || (question.state === 'expired' && !isInTime(question))) continue;
        const isDefault = question.state === 'expired';
        const isTold = answers.some(
          each => each.question === question.text && each.answer === question.answer && each.is_default === isDefault,
        );
        if (!isTold)
          violate('an agent is told what was decided', `attempt ${run.attempt} at ${ticket.id} is not told: ${told(question)}`);
      }
    },
    get decided() {
      return decidedAt.size;
    },
  };
}

/** A person has had it begun anew. */
function isAnew(before: TicketFacts | undefined, after: TicketFacts): boolean {
  return after.attempts === 0 && (before?.status === 'failed' || before?.status === 'waiting') && after.status !== before.status;
}

function isInTime({ due_at: due, decided_at: decided }: Question): boolean {
  return due !== null && decided !== null && decided.getTime() >= due.getTime();
}

function told({ state, answer }: Question): string {
  return `${state} (${answer})`;
}
