import type { sessionStates } from '../../../../contract/sessions.ts';
import type { Machine } from '../../../kernel/machine.ts';

export type SessionState = (typeof sessionStates)[number];

export type SessionVerb = 'ask' | 'present' | 'approve' | 'reject' | 'build' | 'complete' | 'cancel' | 'fail';

export const sessionMachine: Machine<SessionState, SessionVerb> = {
  input: { ask: 'clarifying', cancel: 'cancelled', fail: 'failed' },
  clarifying: { present: 'reviewing', cancel: 'cancelled', fail: 'failed' },
  reviewing: { approve: 'approved', reject: 'clarifying', cancel: 'cancelled', fail: 'failed' },
  approved: { build: 'building', reject: 'clarifying', cancel: 'cancelled', fail: 'failed' },
  building: { complete: 'completed', cancel: 'cancelled', fail: 'failed' },
  completed: {},
  failed: {},
  cancelled: {},
};

/** Percent, for the progress bar (PRODUCT 4). A session that ended without a result stays where it was stopped: at 0. */
export const sessionProgress: Readonly<Record<SessionState, number>> = {
  input: 0,
  clarifying: 20,
  reviewing: 60,
  approved: 80,
  building: 90,
  completed: 100,
  failed: 0,
  cancelled: 0,
};
