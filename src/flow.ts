import type { EventType } from '../contract/events.ts';
import type { FlowJob, Routes, Tx } from './db/database.ts';
import type { Task } from './db/jobs/graphile.ts';
import { callsUnsettled, loseUnsettledCall } from './support/budgets/index.ts';
import { cancelSpecOf } from './stages/specs/index.ts';
import { cancelTicketsOf } from './stages/tickets/index.ts';
import { expireQuestion, questionsOverdue } from './support/questions/index.ts';
import {
  giveUpPhase,
  haltsDecided,
  judgePhase,
  lookAgain,
  type Net,
  onSubject,
  outputsWithoutVerdict,
  planningsLeftAlone,
  planSession,
  questionsInVain,
  queueRun,
  queueRunsOfTrunk,
  refitAllRuns,
  refitRuns,
  reorderRuns,
  runsFallenBack,
  type RunSettings,
  withdrawRuns,
} from './stages/runs/index.ts';
import {
  dropReviews,
  evidenceWithoutVerdict,
  giveUpReview,
  judgeReview,
  prepareTrunk,
  type ReviewParts,
  reviewsWithoutRun,
  submissionsWithoutReview,
  trunksInPreparation,
} from './stages/reviews/index.ts';
import {
  closeChange,
  concludeEpic,
  concludeSpec,
  concludeTrunk,
  conflictsWithoutRun,
  giveUpConflict,
  mergeNext,
  openChange,
  publishTrunk,
  publishTrunkOfTicket,
  resolveAgain,
  resumeRun,
  resumeRuns,
  reviewsWithoutChange,
  specsWithoutResult,
  takeBackChange,
  takeSubmission,
  trunksToMerge,
  trunksToPublish,
} from './stages/changes/index.ts';

/**
 * The product on one page: which event starts which verb. A stage calls earlier stages itself; whatever a later stage must do
 * because of it stands here, and is done as a job that was enqueued in the event's own transaction.
 */
export const flow = {
  'session.opened': ['planSession'],
  'session.planning': ['planSession'],
  'session.reviewing': ['planSession'],
  'session.cancelled': ['cancelSpec', 'cancelTickets', 'planSession'],
  'ticket.ready': ['queueRun'],
  'trunk.opened': ['prepareTrunk'],
  'trunk.ready': ['queueRunsOfTrunk'],
  'project.changed': ['refitRuns'],
  'template.changed': ['refitAllRuns'],
  'router.changed': ['refitAllRuns'],
  'breaker.opened': ['refitAllRuns'],
  'breaker.closed': ['refitAllRuns'],
  'ticket.changed': ['reorderRuns'],
  'ticket.blocked': ['withdrawRuns', 'publishTrunkOfTicket'],
  'ticket.completed': ['publishTrunkOfTicket'],
  'ticket.failed': ['withdrawRuns', 'dropReviews', 'closeChange', 'publishTrunkOfTicket'],
  'ticket.cancelled': ['withdrawRuns', 'dropReviews', 'closeChange', 'publishTrunkOfTicket'],
  'ticket.waiting': ['publishTrunkOfTicket'],
  'epic.completed': ['concludeEpic'],
  'run.submitted': ['takeSubmission'],
  'run.returned': ['resolveAgain'],
  'run.exhausted': ['giveUp'],
  'review.passed': ['openChange'],
  'review.skipped': ['openChange'],
  'review.needs_work': ['takeBackWork'],
  'change.queued': ['mergeNext'],
  'change.merging': ['mergeNext'],
  'change.conflict': ['mergeNext'],
  'change.returned': ['mergeNext'],
  'change.closed': ['mergeNext'],
  'change.merged': ['mergeNext'],
  'trunk.published': ['concludeTrunk'],
  'question.answered': ['resumeRuns'],
  'question.expired': ['resumeRuns'],
  'run.parked': ['resumeRun'],
  'run.failed': ['resumeRun'],
  'run.lost': ['resumeRun'],
  'run.rescued': ['resumeRun'],
  'run.retried': ['resumeRun'],
} as const satisfies Routes;

type TaskName = (typeof flow)[keyof typeof flow][number];

export type FlowParts = ReviewParts & { readonly settings: RunSettings };

/** The verb of each task. Each looks at the state that it finds, so a job that is run twice does nothing the second time. */
export function tasks(parts: FlowParts): Readonly<Record<TaskName, Task>> {
  const { request, engine } = parts.database;
  const { settings } = parts;
  return {
    cancelSpec: onSubject(request, cancelSpecOf),
    cancelTickets: onSubject(request, cancelTicketsOf),
    planSession: job => planSession(parts, job.tenantId, job.subject.id),
    queueRun: onSubject(engine, (tx, ticketId) => queueRun(tx, ticketId, settings)),
    queueRunsOfTrunk: onSubject(engine, (tx, trunkId) => queueRunsOfTrunk(tx, trunkId, settings)),
    refitRuns: onSubject(engine, (tx, projectId) => refitRuns(tx, projectId, settings)),
    refitAllRuns: onSubject(engine, tx => refitAllRuns(tx, settings)),
    reorderRuns: onSubject(engine, reorderRuns),
    withdrawRuns: onSubject(engine, withdrawRuns),
    prepareTrunk: job => prepareTrunk(parts, job.tenantId, job.subject.id),
    takeSubmission: bySubjectType({
      ticket: job => takeSubmission(parts, job.tenantId, job.subject.id),
      conflict: job => takeSubmission(parts, job.tenantId, job.subject.id),
      review: onSubject(engine, (tx, runId) => judgeReview(tx, runId, settings)),
      spec_phase: onSubject(engine, judgePhase),
    }),
    resolveAgain: bySubjectType({
      conflict: job => engine(scopeOf(job), tx => resolveAgain(tx, said(job, 'subject'), settings)),
    }),
    giveUp: bySubjectType({
      review: job => engine(scopeOf(job), tx => giveUpReview(tx, said(job, 'subject'), said(job, 'reason'))),
      conflict: job => engine(scopeOf(job), tx => giveUpConflict(tx, said(job, 'subject'), said(job, 'reason'))),
      spec_phase: job => engine(scopeOf(job), tx => giveUpPhase(tx, job.subject.id, said(job, 'reason'))),
    }),
    dropReviews: onSubject(engine, dropReviews),
    openChange: onSubject(engine, openChange),
    takeBackWork: onSubject(engine, takeBackChange),
    closeChange: onSubject(engine, closeChange),
    mergeNext: job => mergeNext(parts, job.tenantId, said(job, 'trunkId')),
    concludeEpic: onSubject(request, concludeEpic),
    concludeTrunk: onSubject(request, concludeTrunk),
    resumeRuns: job => resumeRuns(parts, job.tenantId, job.subject.id),
    resumeRun: job => resumeRun(parts, job.tenantId, job.subject.id),
    publishTrunkOfTicket: job => publishTrunkOfTicket(parts, job.tenantId, job.subject.id),
  };
}

/** What the sweep looks for, in case a job was lost: rows on which an event should have acted long ago. */
export function nets(parts: FlowParts): readonly Net[] {
  const { settings } = parts;
  const engine = (verb: (tx: Tx, id: string) => Promise<unknown>): Net['mend'] => {
    return (tenantId, id) => parts.database.engine({ tenantId, actor: 'sweep' }, tx => verb(tx, id));
  };
  return [
    { find: planningsLeftAlone, mend: (tenantId, id) => planSession(parts, tenantId, id) },
    { find: outputsWithoutVerdict, mend: engine(judgePhase) },
    { find: trunksInPreparation, mend: (tenantId, id) => prepareTrunk(parts, tenantId, id) },
    { find: submissionsWithoutReview, mend: (tenantId, id) => takeSubmission(parts, tenantId, id) },
    { find: evidenceWithoutVerdict, mend: engine((tx, id) => judgeReview(tx, id, settings)) },
    { find: reviewsWithoutRun, mend: engine((tx, id) => giveUpReview(tx, id, 'its run is gone')) },
    { find: reviewsWithoutChange, mend: engine(openChange) },
    { find: trunksToMerge, mend: (tenantId, id) => mergeNext(parts, tenantId, id) },
    { find: conflictsWithoutRun, mend: engine((tx, id) => resolveAgain(tx, id, settings)) },
    { find: questionsOverdue, mend: engine((tx, id) => expireQuestion(tx, id, { onlyOverdue: true })) },
    { find: questionsInVain, mend: engine(expireQuestion) },
    { find: haltsDecided, mend: (tenantId, id) => resumeRun(parts, tenantId, id) },
    { find: runsFallenBack, mend: engine((tx, id) => lookAgain(tx, id, settings)) },
    { find: trunksToPublish, mend: (tenantId, id) => publishTrunk(parts, tenantId, id) },
    { find: callsUnsettled, mend: (tenantId, id) => loseUnsettledCall(parts.database, tenantId, id) },
    {
      find: specsWithoutResult,
      mend: (tenantId, id) => parts.database.request({ tenantId, actor: 'sweep' }, tx => concludeSpec(tx, id)),
    },
  ];
}

/** A run is about many things: what follows from its end depends on which. */
function bySubjectType(tasks: Readonly<Record<string, Task>>): Task {
  return async job => tasks[said(job, 'subjectType')]?.(job);
}

function scopeOf({ tenantId }: FlowJob): { tenantId: string; actor: string } {
  return { tenantId, actor: 'flow' };
}

function said({ type, payload }: FlowJob, field: string): string {
  const value = payload?.[field];
  if (typeof value !== 'string') throw new Error(`the event ${type} does not say its ${field}`);
  return value;
}
/** Events that start nothing: they are there to be seen. A test checks that every type is here or above. */
export const endings: readonly EventType[] = [
  'project.created',
  'template.removed',
  'token.created',
  'token.revoked',
  'session.answered',
  'session.asked',
  'session.stalled',
  'session.approved',
  'session.rejected',
  'session.building',
  'session.completed',
  'spec.generated',
  'spec.executing',
  'spec.completed',
  'spec.cancelled',
  'tickets.generated',
  'ticket.created',
  'ticket.claimed',
  'ticket.running',
  'ticket.verifying',
  'ticket.merging',
  'epic.running',
  'epic.failed',
  'epic.cancelled',
  'run.queued',
  'run.routed',
  'run.leased',
  'run.started',
  'run.reported',
  'run.accepted',
  'run.cancelled',
  'run.halted',
  'run.health',
  'run.aged',
  'run.carried',
  'worker.joined',
  'worker.draining',
  'worker.left',
  'worker.gone',
  'sandbox.killed',
  'brake.pulled',
  'brake.eased',
  'brake.lifted',
  'limit.changed',
  'limit.removed',
  'trunk.refused',
  'trunk.stalled',
  'review.opened',
  'review.failed',
  'review.inconclusive',
  'change.flagged',
  'change.approved',
  'change.rejected',
  'result.submitted',
  'result.validated',
  'result.rejected',
  'budget.changed',
  'budget.removed',
  'budget.warned',
  'budget.alerted',
  'budget.spent',
  'question.opened',
];
