import type { EventType } from '../../contract/events.ts';
import type { machines } from '../../tidy/generate/states.ts';

/** What has a machine, and so a state that its events tell. */
export type Kind = keyof typeof machines;

/** What an event does to the thing that it is about. */
export interface Step {
  readonly of: Kind;
  /** The states in which it may be what is heard of a thing first; absent: it is never that. */
  readonly begins?: readonly string[];
  /** The verb that it goes along, of several the first that there is; absent: it tells of a state and changes none. */
  readonly verbs?: readonly string[];
  /** States in which it changes nothing. */
  readonly staysIn?: readonly string[];
  /** What is heard of first when it has come this far: it was in this state, of which nothing was told. */
  readonly after?: string;
}

const tells = (of: Kind): Step => ({ of });
const begins = (of: Kind, ...states: string[]): Step => ({ of, begins: states });
const goes = (of: Kind, ...verbs: string[]): Step => ({ of, verbs });

/** Every type of event; null: it is about nothing that has a machine. An event that is not here cannot be folded, and does not compile. */
export const steps = {
  'project.created': null,
  'project.changed': null,
  'template.changed': null,
  'template.removed': null,
  'router.changed': null,
  'token.created': null,
  'token.revoked': null,
  'session.opened': begins('session', 'input', 'clarifying'),
  'session.answered': tells('session'),
  'session.planning': tells('session'),
  'session.asked': tells('session'),
  'session.stalled': tells('session'),
  'session.reviewing': goes('session', 'present'),
  'session.approved': goes('session', 'approve'),
  'session.rejected': goes('session', 'reject'),
  'session.building': goes('session', 'build'),
  'session.completed': goes('session', 'complete'),
  'session.cancelled': goes('session', 'cancel'),
  // A card that is handed in anew, after a rejection, finds the spec as the last one left it.
  'spec.generated': { of: 'spec', begins: ['planning_complete'], verbs: ['present'], staysIn: ['planning_complete'] },
  'spec.executing': goes('spec', 'execute'),
  'spec.completed': goes('spec', 'complete'),
  'spec.cancelled': goes('spec', 'cancel'),
  'tickets.generated': null,
  // An epic runs from the beginning: its status follows its tickets.
  'ticket.created': begins('ticket', 'pending', 'ready', 'blocked', 'running'),
  'ticket.changed': tells('ticket'),
  'ticket.blocked': goes('ticket', 'block'),
  'ticket.ready': goes('ticket', 'ready'),
  'ticket.claimed': goes('ticket', 'claim'),
  'ticket.running': goes('ticket', 'run'),
  'ticket.verifying': goes('ticket', 'verify'),
  'ticket.merging': goes('ticket', 'merge'),
  'ticket.waiting': goes('ticket', 'wait'),
  'ticket.completed': goes('ticket', 'complete'),
  'ticket.failed': goes('ticket', 'fail'),
  'ticket.cancelled': goes('ticket', 'cancel'),
  'epic.completed': tells('ticket'),
  'epic.failed': tells('ticket'),
  'epic.cancelled': tells('ticket'),
  'epic.running': tells('ticket'),
  // The same run again, where its claim reached nobody.
  'run.queued': { of: 'run', begins: ['queued'], verbs: ['unclaim'] },
  'run.routed': tells('run'),
  'run.leased': goes('run', 'claim'),
  'run.started': goes('run', 'work'),
  'run.reported': tells('run'),
  'run.submitted': goes('run', 'submit'),
  'run.accepted': goes('run', 'accept'),
  'run.failed': goes('run', 'fail'),
  'run.lost': goes('run', 'lose'),
  'run.returned': goes('run', 'return', 'resume'),
  'run.exhausted': tells('run'),
  'run.cancelled': goes('run', 'cancel'),
  'run.parked': goes('run', 'park'),
  'run.halted': tells('run'),
  'run.health': tells('run'),
  'run.aged': tells('run'),
  'run.carried': tells('run'),
  'run.rescued': tells('run'),
  'run.retried': tells('run'),
  'worker.joined': null,
  'worker.draining': null,
  'worker.left': null,
  'worker.gone': null,
  'sandbox.killed': null,
  'brake.pulled': null,
  'brake.eased': null,
  'brake.lifted': null,
  'breaker.opened': null,
  'breaker.closed': null,
  'limit.changed': null,
  'limit.removed': null,
  'trunk.opened': { of: 'trunk', begins: ['preparing'], verbs: ['prepare'] },
  'trunk.ready': goes('trunk', 'open'),
  'trunk.refused': goes('trunk', 'refuse'),
  'trunk.published': tells('trunk'),
  'trunk.stalled': tells('trunk'),
  'review.opened': begins('review', 'pending'),
  'review.skipped': { of: 'review', after: 'pending', verbs: ['give_up'] },
  'review.passed': goes('review', 'pass'),
  'review.needs_work': goes('review', 'return'),
  'review.failed': goes('review', 'fail'),
  'review.inconclusive': goes('review', 'give_up'),
  'change.flagged': { of: 'change', begins: ['open'], verbs: ['return'] },
  'change.approved': tells('change'),
  'change.rejected': tells('change'),
  'change.queued': { of: 'change', begins: ['queued'], verbs: ['queue'] },
  'change.merging': tells('change'),
  'change.conflict': goes('change', 'conflict'),
  'change.returned': goes('change', 'return'),
  'change.merged': goes('change', 'land'),
  'change.closed': goes('change', 'close'),
  'question.opened': begins('question', 'pending'),
  'question.answered': goes('question', 'answer'),
  'question.expired': goes('question', 'expire'),
  'result.submitted': begins('result', 'submitted'),
  'result.validated': goes('result', 'validate'),
  'result.rejected': goes('result', 'reject'),
  'budget.changed': null,
  'budget.removed': null,
  'budget.warned': null,
  'budget.alerted': null,
  'budget.spent': null,
} as const satisfies Record<EventType, Step | null>;

/** Verbs of which no event tells: who is next to merge is chosen, and a holder gets its sandbox ready, in one breath with more. */
export const silent: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  run: ['start'],
  change: ['merge'],
  trunk: ['check'],
};

/** What an event says of its thing beside the state, where it says it: name of the fact → field of the payload. */
export const facts: Readonly<Record<Kind, Readonly<Record<string, string>>>> = {
  session: { projectId: 'projectId' },
  spec: { version: 'version' },
  ticket: { type: 'type' },
  run: { subject: 'subject', subjectType: 'subjectType', ticketId: 'ticketId', attempt: 'attempt', failureClass: 'class' },
  trunk: { specId: 'specId', branch: 'branch', base: 'base', published: 'commit' },
  review: { kind: 'kind', trunkId: 'trunkId', ticketId: 'ticketId', runId: 'runId', round: 'round', head: 'head', base: 'base' },
  change: { trunkId: 'trunkId', ticketId: 'ticketId', head: 'head', commit: 'commit' },
  result: { specId: 'specId', version: 'version', proof: 'proof', submittedBy: 'submittedBy' },
  question: {
    kind: 'kind',
    subjectType: 'subjectType',
    subjectId: 'subjectId',
    projectId: 'projectId',
    ticketId: 'ticketId',
    runId: 'runId',
    specId: 'specId',
  },
};
