import type { Claimed, FailureClass } from '../../contract/runs.ts';
import { backoffMs } from '../client/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { failpoint } from '../kernel/failpoint.ts';
import { isFault } from '../kernel/fault.ts';
import type { Fault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import type { ClaimRequest, Protocol } from './client.ts';
import { createHold } from './hold.ts';
import type { RunEnd } from './run/index.ts';
import type { SandboxProvider } from './sandbox.ts';

export interface ClaimsOptions {
  readonly protocol: Protocol;
  readonly sandboxes: SandboxProvider;
  /** What is asked for, looked at anew for each claim. */
  readonly request: () => Promise<ClaimRequest>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onTrouble: (trouble: Trouble) => void;
}

/** Said once when it begins and once when it is over. */
export type Trouble =
  | { readonly kind: 'server_gone'; readonly reason: Fault }
  | { readonly kind: 'server_back' }
  | { readonly kind: 'sandbox_broken'; readonly why: string }
  | { readonly kind: 'sandbox_works' }
  /** Runs fail here one after another for what this machine lacks, such as space or a network; claims are slowed down. */
  | { readonly kind: 'holding_back'; readonly why: string }
  | { readonly kind: 'going_on' };

export interface Claims {
  /**
   * Waits for a run, through every outage of the server. Undefined when there was none for a while or the signal is aborted.
   * Throws the Fault with which the server refuses this worker.
   */
  next(): Promise<Claimed | undefined>;
  /**
   * Learns from how a run ended. Where a sandbox could not be made, nothing more is claimed until one can; after two runs in
   * a row that failed for what this machine lacks, claims are 1 s to 60 s apart until a run gets further.
   */
  learn(end: RunEnd): void;
}

/** Also of a full disk and of what nobody foresaw: both fail as `sandbox`. */
const blamesWorker: ReadonlySet<FailureClass> = new Set(['sandbox', 'repository', 'network'] as const);

export function createClaims(options: ClaimsOptions): Claims {
  const { protocol, sandboxes, request, clock, random, log, signal, onTrouble } = options;
  let isSuspect = false;
  let outages = 0;
  let failedProbes = 0;
  const hold = createHold({
    clock,
    random,
    signal,
    onHold(why) {
      log.error({ why }, 'runs fail here one after another; claims are held back');
      onTrouble({ kind: 'holding_back', why });
    },
    onGo: () => onTrouble({ kind: 'going_on' }),
  });

  async function claim(): Promise<Claimed | undefined> {
    try {
      const claimed = await protocol.claim(await request(), signal);
      if (outages > 0) back();
      if (claimed !== undefined) failpoint('claimed');
      return claimed;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!isFault(error) || !(error.kind.retry || error.code === 'unknown_answer')) throw error;
      if (outages === 0) gone(error);
      outages += 1;
      await clock.sleep(backoffMs(outages - 1, random), signal);
      return undefined;
    }
  }

  function gone(reason: Fault): void {
    log.warn({ reason: reason.message }, 'the server does not answer; trying on');
    onTrouble({ kind: 'server_gone', reason });
  }

  function back(): void {
    outages = 0;
    log.warn({}, 'the server answers again');
    onTrouble({ kind: 'server_back' });
  }

  async function trustSandbox(): Promise<void> {
    const probe = await sandboxes.probe();
    isSuspect = !probe.ok;
    if (probe.ok && failedProbes > 0) onTrouble({ kind: 'sandbox_works' });
    if (probe.ok) failedProbes = 0;
    else await distrust(probe.why);
  }

  async function distrust(why: string): Promise<void> {
    if (failedProbes === 0) {
      log.error({ why }, 'no sandbox can be made any more; nothing is claimed until one can');
      onTrouble({ kind: 'sandbox_broken', why });
    }
    failedProbes += 1;
    await clock.sleep(backoffMs(failedProbes - 1, random), signal);
  }

  return {
    async next() {
      if (isSuspect) await trustSandbox();
      if (!isSuspect) await hold.pass();
      return isSuspect || signal.aborted ? undefined : claim();
    },
    learn(end) {
      if (end.kind === 'lost' || (end.kind === 'failed' && end.isStopped)) return;
      if (end.kind === 'failed' && end.sandboxBroke) isSuspect = true;
      if (end.kind === 'failed' && blamesWorker.has(end.failure.class)) hold.failed(end.failure.message);
      else hold.succeeded();
    },
  };
}
