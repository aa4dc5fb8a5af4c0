import type { resultStates } from '../../../../contract/results.ts';
import type { Machine } from '../../../kernel/machine.ts';

export type ResultState = (typeof resultStates)[number];
export type ResultVerb = 'validate' | 'reject';

/** One decision, for ever: whoever thinks otherwise later hands in another version. */
export const resultMachine: Machine<ResultState, ResultVerb> = {
  submitted: { validate: 'validated', reject: 'rejected' },
  validated: {},
  rejected: {},
};
