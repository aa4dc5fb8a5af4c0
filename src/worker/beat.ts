import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { WorkerBeat } from '../../contract/fleet/workers.ts';
import type { SandboxReport, SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import { workerBeatAnswer } from '../../contract/fleet/workers.ts';
import type { Client } from '../client/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { isFault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import type { Protocol } from './client.ts';
import { createWord, gated } from './gate.ts';
import { startHeart } from './heart.ts';
import type { Kills } from './sandboxes/kills.ts';

export interface BeatOptions {
  readonly client: Client;
  readonly name: string;
  readonly slots: number;
  readonly version?: string | undefined;
  /** As it is now. */
  readonly capabilities: () => Promise<readonly string[]>;
  /** What its sandboxes are worth here. */
  readonly sandbox: Readonly<Record<string, string>>;
  readonly worth: SandboxWorth;
  /** Those that live now. Never throws, and takes no longer than a beat may. */
  readonly reports: () => Promise<readonly SandboxReport[]>;
  /** Hears which of them people want killed. */
  readonly kills: Pick<Kills, 'hear'>;
  /** Aborted when the worker claims nothing more. */
  readonly draining: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Beat {
  /** Claims wait here while a person wants this worker to drain. They throw Fault `wrong_state` where another has its name. */
  gate(protocol: Protocol): Protocol;
  /** Says that the worker has left. */
  stop(): Promise<void>;
}

/** While the server does not say otherwise. */
const usualMs = 5_000;
/** A server that cannot answer this small question in time is asked again: it must not delay the next beat. */
const answerMs = 3_000;

/** Tells the server every few seconds that this worker lives, and hears whether a person wants it to claim nothing more. */
export function startBeat(options: BeatOptions): Beat {
  const { client, name, slots, version = 'unknown', capabilities, sandbox, worth, draining, clock, log } = options;
  const fixed = { incarnation: randomUUID(), host: hostname(), version, slots, sandbox, worth };
  const word = createWord();
  let isKnown = false;
  let isLeaving = false;

  function stateNow(): WorkerBeat['state'] {
    if (isLeaving) return 'left';
    return draining.aborted || word.isDrain() ? 'draining' : 'active';
  }

  async function tell(): Promise<number> {
    const [offered, sandboxes] = await Promise.all([capabilities(), options.reports()]);
    const body = { ...fixed, capabilities: [...offered], sandboxes, state: stateNow(), is_first: !isKnown };
    const path = `/api/workers/${encodeURIComponent(name)}`;
    const answer = await client.request('PUT', path, { body, schema: workerBeatAnswer, timeoutMs: answerMs });
    isKnown = true;
    options.kills.hear(answer.kills);
    const hasChanged = answer.is_told_to_drain !== word.isDrain();
    word.hear(answer.is_told_to_drain);
    // What it was told it says back at once: who drains a worker waits for that.
    return hasChanged && !isLeaving ? 0 : answer.beat_ms;
  }

  async function beat(): Promise<number | undefined> {
    try {
      return await tell();
    } catch (error) {
      if (isKnown && isFault(error, 'wrong_state')) {
        log.error({ name, reason: error.message }, 'this worker claims nothing more: its name belongs to another');
        word.refuse(error);
        return undefined;
      }
      log.debug({ error: String(error) }, 'the server did not hear that this worker lives; trying on');
      word.hear(word.isDrain());
      return usualMs;
    }
  }

  const heart = startHeart({ clock, beat });
  const hurry = (): void => heart.hurry();
  draining.addEventListener('abort', hurry, { once: true });
  return {
    gate: protocol => gated(protocol, word),
    async stop() {
      draining.removeEventListener('abort', hurry);
      await heart.stop();
      isLeaving = true;
      if (word.refusal() === undefined) await beat();
    },
  };
}
