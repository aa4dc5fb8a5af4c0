import type { Tx } from '../../../db/database.ts';
import { getProject } from '../../../support/projects/index.ts';
import { listMessages, rejectedMark, type SessionRow } from '../../sessions/index.ts';
import { findSpecOfSession, type PlanningRow, stopPlanning } from '../../specs/index.ts';
import { finishingChain, queueSubject } from '../queue/queue.ts';
import { inputOf } from './model/input.ts';
import { subjectOf } from './model/subject.ts';

/** Queues the run of the phase that a planning is in, with what is known now; one that is queued already is left as it is. */
export async function queuePhase(
  tx: Tx,
  session: SessionRow,
  { phase, rounds, baseSha, objectFormat }: PlanningRow,
): Promise<void> {
  if (baseSha === null) throw new Error('a phase cannot be queued before its commit is known');
  const { planner } = await getProject(tx, session.projectId);
  if (planner === null) return stopPlanning(tx, session, { phase, reason: 'The project has no planner any more' });
  const spec = await findSpecOfSession(tx, session.id);
  const messages = await listMessages(tx, session.id);
  const { plan = null, card = null } = spec ?? {};
  await queueSubject(tx, {
    type: 'spec_phase',
    id: subjectOf(session.id, phase),
    ticketId: null,
    ticketStatus: null,
    priority: 0,
    chain: finishingChain,
    requires: ['plan'],
    task: {
      projectId: session.projectId,
      ...(spec === undefined ? {} : { specId: spec.id }),
      objectFormat,
      commit: baseSha,
      plan: {
        phase,
        input: inputOf({ phase, description: session.description, messages, rounds, plan, card, rejectedMark }),
        model: planner.model,
      },
    },
    waitMs: 0,
  });
}
