import type { questionStates } from '../../../../contract/talk/questions.ts';
import type { Machine } from '../../../kernel/machine.ts';

export type QuestionState = (typeof questionStates)[number];
export type QuestionVerb = 'answer' | 'expire';

/** One decision: of two answers the first holds. */
export const questionMachine: Machine<QuestionState, QuestionVerb> = {
  pending: { answer: 'answered', expire: 'expired' },
  answered: {},
  expired: {},
};
