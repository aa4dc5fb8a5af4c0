import { clarifyRoundsMax, type planningStates, type PlanningPhase } from '../../../../contract/talk/planning.ts';
import type { sessionStates } from '../../../../contract/sessions.ts';

/** What the dispatcher goes by. */
export interface Standing {
  readonly session: (typeof sessionStates)[number];
  readonly planning: Planned | undefined;
  /** Whether a person has said something since the last questions. */
  readonly isAnswered: boolean;
}

export interface Planned {
  readonly state: (typeof planningStates)[number];
  readonly phase: PlanningPhase;
  /** How often a person was asked. */
  readonly rounds: number;
}

export type Step =
  /** A person is to act, or all is done. */
  | { readonly kind: 'rest' }
  /** A run of the present phase is to be there. */
  | { readonly kind: 'work' }
  /** A phase begins. */
  | { readonly kind: 'begin'; readonly phase: PlanningPhase }
  /** Nobody waits for the plan any more. */
  | { readonly kind: 'end' };

/** What comes next by itself. */
export function nextStep({ session, planning, isAnswered }: Standing): Step {
  if (planning === undefined) return rest;
  if (session !== 'clarifying') return planning.state === 'working' || planning.state === 'asking' ? { kind: 'end' } : rest;
  if (planning.state === 'working') return { kind: 'work' };
  if (planning.state === 'asking' && isAnswered) {
    return { kind: 'begin', phase: planning.rounds < clarifyRoundsMax ? 'CLARIFY' : 'REQUIREMENTS' };
  }
  // The session would be reviewing had a person not rejected what was planned.
  if (planning.state === 'done') return { kind: 'begin', phase: 'REQUIREMENTS' };
  return rest;
}

const rest: Step = { kind: 'rest' };

/**
 * What a person's word begins that the spec shall be made: with the defaults for what was not answered, or again from where it has
 * stopped. Undefined where it is being made, or where the search for questions was begun again by that same word: said twice, since
 * an answer was lost, it must not be taken for another one that ends the search.
 */
export function generateStep(planning: Planned | undefined, isBegunAgain: boolean): PlanningPhase | undefined {
  if (planning?.state === 'stopped') return planning.phase;
  if (planning?.state === 'working' && (planning.phase !== 'CLARIFY' || isBegunAgain)) return undefined;
  return 'REQUIREMENTS';
}

/** What follows on a phase whose output was good. */
export function afterPhase(phase: PlanningPhase, { questions, rounds }: { questions: number; rounds: number }): After {
  if (phase === 'CLARIFY' && questions > 0 && rounds < clarifyRoundsMax) return 'ask';
  return following[phase];
}

export type After = PlanningPhase | 'ask' | 'present';

const following = { CLARIFY: 'REQUIREMENTS', REQUIREMENTS: 'DESIGN', DESIGN: 'TASKS', TASKS: 'present' } as const;
