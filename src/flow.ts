import type { EventType } from '../contract/events.ts';
import type { Database, Routes } from './db/database.ts';
import type { Task } from './db/jobs.ts';
import { cancelSpecOf } from './stages/specs/index.ts';
import { cancelTicketsOf } from './stages/tickets/index.ts';
import { acceptRun, onSubject, queueRun, reorderRuns, type RunSettings, withdrawRuns } from './stages/runs/index.ts';

/**
 * The product on one page: which event starts which verb. A stage calls earlier stages itself; whatever a later stage must do
 * because of it stands here, and is done as a job that was enqueued in the event's own transaction.
 */
export const flow = {
  'session.cancelled': ['cancelSpec', 'cancelTickets'],
  'ticket.ready': ['queueRun'],
  'ticket.changed': ['reorderRuns'],
  'ticket.blocked': ['withdrawRuns'],
  'ticket.cancelled': ['withdrawRuns'],
  // Until the reviews stage stands between the two, a submission is accepted without a check, as `unproven`.
  'run.submitted': ['acceptRun'],
} as const satisfies Routes;

type TaskName = (typeof flow)[keyof typeof flow][number];

/** The verb of each task. Each looks at the state that it finds, so a job that is run twice does nothing the second time. */
export function tasks({ request, engine }: Database, settings: RunSettings): Readonly<Record<TaskName, Task>> {
  return {
    cancelSpec: onSubject(request, cancelSpecOf),
    cancelTickets: onSubject(request, cancelTicketsOf),
    queueRun: onSubject(engine, (tx, ticketId) => queueRun(tx, ticketId, settings)),
    reorderRuns: onSubject(engine, reorderRuns),
    withdrawRuns: onSubject(engine, withdrawRuns),
    acceptRun: onSubject(engine, acceptRun),
  };
}

/** Events that start nothing: they are there to be seen. A test checks that every type is here or above. */
export const endings: readonly EventType[] = [
  'project.created',
  'project.changed',
  'token.created',
  'token.revoked',
  'session.opened',
  'session.answered',
  'session.reviewing',
  'session.approved',
  'session.rejected',
  'session.building',
  'spec.generated',
  'spec.executing',
  'spec.cancelled',
  'tickets.generated',
  'ticket.created',
  'ticket.claimed',
  'ticket.running',
  'ticket.verifying',
  'ticket.completed',
  'ticket.failed',
  'run.queued',
  'run.leased',
  'run.started',
  'run.reported',
  'run.accepted',
  'run.failed',
  'run.lost',
  'run.cancelled',
];
