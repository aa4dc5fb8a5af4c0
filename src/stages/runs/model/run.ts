import type { runStates } from '../../../../contract/runs.ts';
import type { Machine } from '../../../kernel/machine.ts';

export type RunState = (typeof runStates)[number];
export type RunVerb =
  | 'claim'
  | 'unclaim'
  | 'start'
  | 'work'
  | 'submit'
  | 'accept'
  | 'return'
  | 'fail'
  | 'lose'
  | 'park'
  | 'resume'
  | 'cancel';

/** A run is one attempt under one lease: once lost or failed it is over, and the next attempt is another run. */
export const runMachine: Machine<RunState, RunVerb> = {
  queued: { claim: 'leased', cancel: 'cancelled' },
  leased: {
    unclaim: 'queued',
    start: 'starting',
    work: 'working',
    submit: 'submitted',
    fail: 'failed',
    lose: 'lost',
    park: 'parked',
    cancel: 'cancelled',
  },
  starting: { work: 'working', submit: 'submitted', fail: 'failed', lose: 'lost', park: 'parked', cancel: 'cancelled' },
  working: { submit: 'submitted', fail: 'failed', lose: 'lost', park: 'parked', cancel: 'cancelled' },
  submitted: { accept: 'accepted', return: 'returned', cancel: 'cancelled' },
  parked: { resume: 'returned', cancel: 'cancelled' },
  accepted: {},
  returned: {},
  failed: {},
  lost: {},
  cancelled: {},
};
