import type { Fault } from '../kernel/fault.ts';
import type { Protocol } from './client.ts';

/** What was heard last: nothing yet, go on, drain, or that another has the name. */
export interface Word {
  hear(drains: boolean): void;
  refuse(reason: Fault): void;
  isDrain(): boolean;
  refusal(): Fault | undefined;
  /** Resolves when claims may go on, or when `signal` is aborted. */
  passed(signal: AbortSignal): Promise<void>;
  /** Aborted when they may no more. */
  shut(): AbortSignal;
}

export function createWord(): Word {
  let drains = false;
  let refusal: Fault | undefined;
  let shut = new AbortController();
  const waiting = new Set<() => void>();
  // Until the first beat is through: a worker that was told to drain, and starts again, is not to claim before it knows.
  let isOpen = false;

  function settle(): void {
    isOpen = !drains && refusal === undefined;
    if (isOpen && shut.signal.aborted) shut = new AbortController();
    if (!isOpen) shut.abort();
    if (isOpen || refusal !== undefined) for (const go of waiting) go();
  }

  return {
    hear(now) {
      drains = now;
      settle();
    },
    refuse(reason) {
      refusal = reason;
      settle();
    },
    isDrain: () => drains,
    refusal: () => refusal,
    shut: () => shut.signal,
    async passed(signal) {
      if (isOpen || refusal !== undefined || signal.aborted) return;
      await new Promise<void>(resolve => {
        const go = (): void => {
          waiting.delete(go);
          signal.removeEventListener('abort', go);
          resolve();
        };
        waiting.add(go);
        signal.addEventListener('abort', go);
      });
    },
  };
}

/** Claims that wait while the word is to drain, and throw the refusal. */
export function gated(protocol: Protocol, word: Word): Protocol {
  return {
    ...protocol,
    async claim(request, signal) {
      await word.passed(signal);
      const refusal = word.refusal();
      if (refusal !== undefined) throw refusal;
      signal.throwIfAborted();
      return claimWhile(word.shut(), { protocol, request, signal });
    },
  };
}

interface Asked {
  readonly protocol: Protocol;
  readonly request: Parameters<Protocol['claim']>[0];
  readonly signal: AbortSignal;
}

/** One that waits at the server is called back when the gate shuts: the server gives to the next what it had for this worker. */
async function claimWhile(shut: AbortSignal, { protocol, request, signal }: Asked): ReturnType<Protocol['claim']> {
  const either = new AbortController();
  const abort = (): void => either.abort();
  for (const one of [shut, signal]) one.addEventListener('abort', abort, { once: true });
  if (shut.aborted || signal.aborted) abort();
  try {
    return await protocol.claim(request, either.signal);
  } catch (error) {
    if (shut.aborted && !signal.aborted) return undefined;
    throw error;
  } finally {
    for (const one of [shut, signal]) one.removeEventListener('abort', abort);
  }
}
