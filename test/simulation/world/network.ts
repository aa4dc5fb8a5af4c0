import { Fault, isFault } from '../../../src/kernel/fault.ts';
import type { Dice } from './dice.ts';
import type { FaultKind } from './options.ts';
import type { Process } from './process.ts';
import type { Scheduler } from './scheduler.ts';
import type { Strikes } from './strikes.ts';

/** One who answers: a server, while it lives. */
export interface Peer<Verbs> {
  readonly process: Process;
  readonly verbs: Verbs;
  /** Calls back once when it dies. */
  whenDead(callback: () => void): void;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface Network<Verbs> {
  /**
   * A call over HTTP. It may be lost, late or come twice, and so may its answer: then Fault `server_unavailable`, as the client of the
   * product says it. `gone` is aborted for the server when the caller does not wait any more, if the server hears of that.
   */
  call<T>(route: Route<Verbs>, verb: (verbs: Verbs, gone: AbortSignal) => Promise<T>): Promise<T>;
}

export interface Route<Verbs> extends CallOptions {
  readonly from: Process;
  /** Undefined where nobody is there. */
  readonly to: Peer<Verbs> | undefined;
}

const usualTimeoutMs = 30_000;

export interface NetworkParts {
  readonly scheduler: Scheduler;
  readonly dice: Dice;
  readonly strikes: Strikes;
  /** What was thrown inside a server that is no refusal: for the client `internal`. */
  readonly onUnexpected: (error: unknown) => void;
}

export function createNetwork<Verbs>({ scheduler, dice, strikes, onUnexpected }: NetworkParts): Network<Verbs> {
  const happens = (kind: FaultKind): boolean => strikes.happens(dice, kind);
  const wayMs = (): number => (happens('slowNetwork') ? dice.between(50, 3_000) : dice.between(0, 4));
  /** A lost message is mostly noticed at once, since the connection is cut; sometimes there is only silence. */
  const isSilent = (): boolean => dice.chance(0.2);

  return {
    call({ from: caller, to, signal, timeoutMs = usualTimeoutMs }, verb) {
      return new Promise((resolve, reject) => {
        const gone = new AbortController();
        let isOver = false;
        const settle = (end: () => void): void => {
          if (isOver) return;
          isOver = true;
          signal?.removeEventListener('abort', onAbort);
          end();
        };
        const leave = (): void => {
          if (dice.chance(0.8)) scheduler.after(dice.between(0, 20), () => to?.process.enter(() => gone.abort(cut())));
        };
        const fail = (ms: number): void => caller.after(ms, () => settle(() => reject(cut())));
        const onAbort = (): void =>
          settle(() => {
            leave();
            reject(signal?.reason instanceof Error ? signal.reason : cut());
          });
        if (signal?.aborted) return onAbort();
        signal?.addEventListener('abort', onAbort);
        caller.after(timeoutMs, () =>
          settle(() => {
            leave();
            reject(new Fault('server_unavailable', { message: `no answer within ${timeoutMs} ms` }));
          }),
        );
        if (to === undefined || !to.process.isAlive) return fail(dice.between(1, 5));
        if (happens('lostRequest')) return isSilent() ? undefined : fail(dice.between(1, 300));
        to.whenDead(() => fail(dice.between(0, 5)));
        const answer = (end: () => void): void => {
          if (happens('lostAnswer')) {
            if (!isSilent()) fail(dice.between(1, 300));
          } else caller.after(wayMs(), () => settle(end));
        };
        const deliver = (): void => {
          verb(to.verbs, gone.signal).then(
            result => answer(() => resolve(result)),
            (error: unknown) => {
              if (!isFault(error) && !gone.signal.aborted) onUnexpected(error);
              answer(() => reject(isFault(error) ? error : new Fault('internal', { cause: error })));
            },
          );
        };
        scheduler.after(wayMs(), () => to.process.enter(deliver));
        if (happens('duplicate')) scheduler.after(dice.around(800), () => to.process.enter(() => again(verb, to)));
      });
    },
  };

  /** Nobody hears what comes of a message that comes a second time. */
  function again<T>(verb: (verbs: Verbs, gone: AbortSignal) => Promise<T>, { process, verbs }: Peer<Verbs>): void {
    const gone = new AbortController();
    if (dice.chance(0.5)) scheduler.after(dice.between(0, 50), () => process.enter(() => gone.abort(cut())));
    verb(verbs, gone.signal).catch((error: unknown) => {
      if (!isFault(error)) onUnexpected(error);
    });
  }
}

function cut(): Fault {
  return new Fault('server_unavailable', { message: 'the connection was cut' });
}
