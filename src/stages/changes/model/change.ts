import type { changeStates } from '../../../../contract/changes.ts';
import type { Machine } from '../../../kernel/machine.ts';

export type ChangeState = (typeof changeStates)[number];
export type ChangeVerb = 'queue' | 'merge' | 'land' | 'conflict' | 'return' | 'close';

/** One change a ticket: what is sent back is open until the next attempt is good, and what was closed opens with a retry. */
export const changeMachine: Machine<ChangeState, ChangeVerb> = {
  open: { queue: 'queued', return: 'open', close: 'closed' },
  queued: { queue: 'queued', merge: 'merging', return: 'open', close: 'closed' },
  merging: { land: 'merged', conflict: 'conflict', return: 'open', close: 'closed' },
  conflict: { queue: 'queued', return: 'open', close: 'closed' },
  closed: { queue: 'queued', return: 'open' },
  merged: {},
};
