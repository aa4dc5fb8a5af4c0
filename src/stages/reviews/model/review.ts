import type { reviewStates } from '../../../../contract/reviews.ts';
import type { Machine } from '../../../kernel/machine.ts';

export type ReviewState = (typeof reviewStates)[number];
export type ReviewVerb = 'start' | 'pass' | 'return' | 'fail' | 'give_up';

/** `needs_work` sends work back; `failed` is for a base commit, which nobody can send back; `inconclusive`: nothing was found out. */
export const reviewMachine: Machine<ReviewState, ReviewVerb> = {
  pending: { start: 'running', pass: 'passed', return: 'needs_work', fail: 'failed', give_up: 'inconclusive' },
  running: { pass: 'passed', return: 'needs_work', fail: 'failed', give_up: 'inconclusive' },
  passed: {},
  needs_work: {},
  failed: {},
  inconclusive: {},
};
