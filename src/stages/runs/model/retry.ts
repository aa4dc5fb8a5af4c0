import type { FailureClass } from '../../../../contract/runs.ts';

/** Whether the next attempt can end otherwise: what the agent, the machine or the moment caused, but not what the set-up is. */
const canSucceedLater: Readonly<Record<FailureClass, boolean>> = {
  agent_failed: true,
  timeout: true,
  no_changes: true,
  sandbox: true,
  repository: true,
  agent_missing: false,
  output_limit: false,
  out_of_memory: false,
  invalid_task: false,
};

export interface AttemptPolicy {
  readonly attemptsMax: number;
  readonly retryMs: number;
}

/** What becomes of a ticket whose run ended without a result: another attempt, or none and why. */
export function afterAttempt(
  ended: { readonly failureClass: FailureClass | 'lost'; readonly message: string; readonly attempts: number },
  { attemptsMax }: AttemptPolicy,
): { again: boolean; reason: string } {
  const what = ended.failureClass === 'lost' ? 'the worker fell silent' : `${ended.failureClass}: ${ended.message}`;
  if (ended.failureClass !== 'lost' && !canSucceedLater[ended.failureClass]) return { again: false, reason: what };
  if (ended.attempts >= attemptsMax)
    return { again: false, reason: `gave up after ${ended.attempts} attempts; the last: ${what}` };
  return { again: true, reason: `attempt ${ended.attempts}: ${what}` };
}

/** How long the next attempt waits, in milliseconds. One that was lost is made up for at once: the work did not fail. */
export function waitBeforeAttempt(
  last: { readonly state: string; readonly failures: number } | undefined,
  { retryMs }: AttemptPolicy,
): number {
  if (last?.state !== 'failed') return 0;
  return Math.min(retryMs * 2 ** Math.max(0, last.failures - 1), waitMsMax);
}

const waitMsMax = 600_000;
