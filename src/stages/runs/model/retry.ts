import type { FailureClass } from '../../../../contract/runs.ts';

/** Whether the next attempt can end otherwise: what the agent, the machine or the moment caused, but not what the set-up is. */
const canSucceedLater: Readonly<Record<FailureClass, boolean>> = {
  agent_failed: true,
  agent_died: true,
  unresponsive: true,
  stopped: true,
  network: true,
  quota: true,
  timeout: true,
  no_changes: true,
  sandbox: true,
  repository: true,
  agent_missing: false,
  output_limit: false,
  out_of_memory: false,
  invalid_task: false,
  provider: true,
  model: false,
  blocked: false,
};

export interface AttemptPolicy {
  readonly attemptsMax: number;
  readonly retryMs: number;
}

export interface EndedAttempt {
  readonly failureClass: FailureClass | 'lost';
  readonly message: string;
  /** How the last runs of the same subject ended, newest first, this one included. */
  readonly last: readonly string[];
}

/** What becomes of a subject whose run ended without a result: another attempt, or none and why. */
export function afterAttempt(ended: EndedAttempt, { attemptsMax }: AttemptPolicy): { again: boolean; reason: string } {
  const what = ended.failureClass === 'lost' ? 'the worker fell silent' : `${ended.failureClass}: ${ended.message}`;
  if (ended.failureClass !== 'lost' && !canSucceedLater[ended.failureClass]) return { again: false, reason: what };
  const failures = failuresInARow(ended.last);
  if (failures >= attemptsMax) return { again: false, reason: `gave up after ${failures} attempts; the last: ${what}` };
  return { again: true, reason: `attempt ${failures}: ${what}` };
}

/** How long the next attempt waits, in milliseconds. One that was lost is made up for at once: the work did not fail. */
export function waitBeforeAttempt(last: readonly string[], { retryMs }: AttemptPolicy): number {
  if (last[0] !== 'failed') return 0;
  const failures = last.slice(0, failuresInARow(last)).filter(state => state === 'failed').length;
  return Math.min(retryMs * 2 ** (failures - 1), waitMsMax);
}

/** What was handed in, whatever came of it, begins the count anew. */
function failuresInARow(last: readonly string[]): number {
  const end = last.findIndex(state => state !== 'failed' && state !== 'lost');
  return end === -1 ? last.length : end;
}

const waitMsMax = 600_000;
