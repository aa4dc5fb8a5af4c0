import type { Claimed, RunResult } from '../../../contract/runs.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { Fault, isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { Protocol } from '../client.ts';
import { failureOf } from '../failure.ts';
import type { Failure } from '../failure.ts';
import { graceMs } from '../host/steps.ts';
import { holdLease } from '../lease.ts';
import type { Lease } from '../lease.ts';
import { sandboxOfRun } from '../sandboxes/report.ts';
import { carryOut } from './phases.ts';
import type { HandedIn } from './phases.ts';
import { secretsOf } from './secrets/index.ts';
import type { Secrets } from './secrets/index.ts';
import type { RunTools } from './tools.ts';

export type { RunTools };

/** How a run ended for this worker. `lost`: somebody else decides about it now, and nothing was sent. */
export type RunEnd =
  | HandedIn
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      readonly sandboxBroke: boolean;
      /** By a person, or with the worker: it says nothing of this machine. */
      readonly isStopped: boolean;
    }
  | { readonly kind: 'lost'; readonly reason: Fault };

/** When the worker is told to stop at once: for the agent to end, and then for what there is of its work to be sent. */
const stopMsMax = graceMs + 5_000;

/**
 * Executes a claimed run to its end and tells the server. `stop` gives the run up: its agent is asked to end, and it is
 * handed back with the work so far for another try. Never throws; when it resolves, nothing of the run is left on this machine.
 */
export async function executeRun(claimed: Claimed, tools: RunTools, stop: AbortSignal): Promise<RunEnd> {
  const { run, lease: granted } = claimed;
  const log = tools.log.child({ run: run.id });
  const key = { runId: run.id, token: granted.token };
  const lease = holdLease({ ...tools, log, key, leaseMs: granted.lease_ms, heartbeatMs: granted.heartbeat_ms });
  const ending = eitherSignal(lease.ending, stop);
  const killedBy = () => tools.killedBy?.(sandboxOfRun(run.id, granted.fence));
  const secrets = secretsOf({ claimed, tools });
  const parts = { lease, secrets, protocol: tools.protocol, log, killedBy };
  const hurry = (): void => lease.closeWithin(stopMsMax);
  if (stop.aborted) hurry();
  stop.addEventListener('abort', hurry, { once: true });
  try {
    const end = await carryOut({ claimed, tools: { ...tools, log }, lease, secrets, signal: ending.signal });
    return end.kind === 'broken_off' ? await endBadly(end, { ...parts, isStopped: stop.aborted }) : end;
  } catch (error) {
    return await endBadly({ error }, { ...parts, isStopped: stop.aborted });
  } finally {
    ending.unlink();
    stop.removeEventListener('abort', hurry);
    await lease.release();
  }
}

interface BadEnd {
  readonly lease: Lease;
  readonly secrets: Secrets;
  readonly protocol: Protocol;
  readonly isStopped: boolean;
  /** Who has had its sandbox killed; undefined where nobody has. */
  readonly killedBy: () => string | undefined;
  readonly log: Log;
}

async function endBadly(
  { error, result }: { readonly error: unknown; readonly result?: RunResult | undefined },
  { lease, secrets, protocol, isStopped, killedBy, log }: BadEnd,
): Promise<RunEnd> {
  const lost = lostBy(error, lease);
  if (lost !== undefined) return { kind: 'lost', reason: lost };
  if (!isFault(error))
    log.error(
      { error: secrets.text((error instanceof Error ? error.stack : undefined) ?? String(error)) },
      'a run failed for a reason that was not foreseen',
    );
  const killer = killedBy();
  const failure = fromOutside({ isStopped, killer }) ?? failureOf(error, secrets.text);
  const ended = { ...failure, ...(result === undefined ? {} : { result: secrets.outOf(result) }) };
  try {
    failpoint('before-fail');
    await lease.handBack((key, call) => protocol.fail(key, ended, call));
  } catch (unsent) {
    return { kind: 'lost', reason: lostBy(unsent, lease) ?? new Fault('lease_lost', { message: String(unsent), cause: unsent }) };
  }
  const isFromOutside = isStopped || killer !== undefined;
  return {
    kind: 'failed',
    failure,
    sandboxBroke: !isFromOutside && isFault(error, 'sandbox_unavailable'),
    isStopped: isFromOutside,
  };
}

/** Of what was ended from outside that says more than what came of it inside. */
function fromOutside({ isStopped, killer }: { isStopped: boolean; killer: string | undefined }): Failure | undefined {
  if (killer !== undefined) return { class: 'sandbox', message: `Its sandbox was killed by ${killer}` };
  return isStopped ? { class: 'stopped', message: 'The worker was stopped' } : undefined;
}

function lostBy(error: unknown, lease: Lease): Fault | undefined {
  const reason: unknown = lease.signal.aborted ? lease.signal.reason : error;
  const isLoss =
    lease.signal.aborted || isFault(error, 'lease_lost') || isFault(error, 'unauthenticated') || isFault(error, 'forbidden');
  return isLoss && isFault(reason) ? reason : undefined;
}

function eitherSignal(lease: AbortSignal, stop: AbortSignal): { signal: AbortSignal; unlink: () => void } {
  const ending = new AbortController();
  const onLost = (): void => ending.abort(lease.reason);
  const onStop = (): void => ending.abort(new Fault('shutting_down', { message: 'The worker was stopped' }));
  if (stop.aborted) onStop();
  lease.addEventListener('abort', onLost, { once: true });
  stop.addEventListener('abort', onStop, { once: true });
  return {
    signal: ending.signal,
    unlink() {
      lease.removeEventListener('abort', onLost);
      stop.removeEventListener('abort', onStop);
    },
  };
}
