import { Fault } from '../kernel/fault.ts';

/** Of one run: requests that are being read or answered, and the bytes of their bodies. */
export const requestsOfRunMax = 16;
const bytesOfRunMax = 64 * 1_048_576;
/** Of all runs. A body is held until its answer is whole, since it may have to be sent again. */
const bytesMax = 512 * 1_048_576;

/** Bounds what requests hold in memory before their bodies are read: those who may ask at all must not be able to fill the server. */
interface Intake {
  /** Returns what is to be called when the request is over; a second call of it does nothing. Throws Fault `too_many_calls`. */
  enter(runId: string, bytes: number): () => void;
}

export function createIntake(): Intake {
  const runs = new Map<string, { requests: number; bytes: number }>();
  let total = 0;
  return {
    enter(runId, bytes) {
      const run = runs.get(runId) ?? { requests: 0, bytes: 0 };
      refuse(run, { bytes, total });
      runs.set(runId, run);
      run.requests++;
      run.bytes += bytes;
      total += bytes;
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        run.bytes -= bytes;
        total -= bytes;
        if (--run.requests === 0) runs.delete(runId);
      };
    },
  };
}

function refuse(run: { requests: number; bytes: number }, { bytes, total }: { bytes: number; total: number }): void {
  const message =
    run.requests >= requestsOfRunMax
      ? `A run has at most ${requestsOfRunMax} calls of models under way`
      : run.bytes + bytes > bytesOfRunMax
        ? `The calls of a run that are under way have at most ${bytesOfRunMax} bytes`
        : total + bytes > bytesMax
          ? `The calls that are under way have ${bytesMax} bytes`
          : undefined;
  if (message !== undefined) throw new Fault('too_many_calls', { message, hint: 'Ask again when one of them has ended' });
}
