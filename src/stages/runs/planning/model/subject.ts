import type { PlanningPhase } from '../../../../../contract/talk/planning.ts';
import { planningPhases } from '../../../../../contract/runs.ts';

/** The subject of the runs of a phase. */
export function subjectOf(sessionId: string, phase: PlanningPhase): string {
  return `${sessionId}:${phase}`;
}

export function ofSubject(subject: string): { sessionId: string; phase: PlanningPhase } {
  const [sessionId = '', name] = subject.split(':');
  const phase = planningPhases.find(each => each === name);
  if (phase === undefined) throw new Error(`no phase of planning: ${subject}`);
  return { sessionId, phase };
}
