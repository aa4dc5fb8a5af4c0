import type { specStatuses } from '../../../../contract/sessions.ts';
import type { Machine } from '../../../kernel/machine.ts';

export type SpecStatus = (typeof specStatuses)[number];
export type SpecVerb = 'plan' | 'present' | 'execute' | 'complete' | 'cancel' | 'fail';

export const specMachine: Machine<SpecStatus, SpecVerb> = {
  draft: { plan: 'executing_planning', cancel: 'cancelled', fail: 'failed' },
  executing_planning: { present: 'planning_complete', cancel: 'cancelled', fail: 'failed' },
  planning_complete: { execute: 'executing_tasks', plan: 'executing_planning', cancel: 'cancelled', fail: 'failed' },
  executing_tasks: { complete: 'completed', cancel: 'cancelled', fail: 'failed' },
  completed: {},
  failed: {},
  cancelled: {},
};
