import type { FailureClass, Halt } from '../../../../contract/runs.ts';
import type { Run } from '../run.ts';

/** For an agent whose calls are refused to see it and to end by itself, with its work in a good state. */
const haltedMsMax = 10_000;
/** For one that has asked a person and was told to end its turn: its model must answer once more for that. */
const askedMsMax = 60_000;

/** A signal for the agent: aborted with the run's own, by `end`, and some time after the server has said that the run cannot go on. */
export function haltWarning({ lease, tools, signal }: Run): { readonly signal: AbortSignal; end(): void; unlink(): void } {
  const stop = new AbortController();
  const over = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  const onHalt = (): void => {
    void tools.clock.sleep(lease.halted.reason === questionHalt ? askedMsMax : haltedMsMax, over.signal).then(() => {
      if (!over.signal.aborted) stop.abort();
    });
  };
  if (signal.aborted) onAbort();
  if (lease.halted.aborted) onHalt();
  signal.addEventListener('abort', onAbort, { once: true });
  lease.halted.addEventListener('abort', onHalt, { once: true });
  return {
    signal: stop.signal,
    end: () => stop.abort(),
    unlink() {
      signal.removeEventListener('abort', onAbort);
      lease.halted.removeEventListener('abort', onHalt);
      over.abort();
    },
  };
}

const questionHalt: Halt['kind'] = 'question';

/** What a run fails of in whose way this stands, where it is not parked. */
export function classOf(kind: Halt['kind']): FailureClass {
  if (kind === 'unfinished') return 'agent_failed';
  return kind === 'blocked' || kind === 'limit' ? kind : 'model';
}

/** Asks the server why the run cannot go on, if it cannot: the last heartbeat may be older than the last call of the agent, which has ended. */
export async function haltOf({ lease, tools }: Run): Promise<Halt | undefined> {
  const { halt } = await lease.send((key, call) => tools.protocol.heartbeat(key, { state: 'ended' }, call));
  return halt ?? undefined;
}
