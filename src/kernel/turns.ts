/** Lets at most so many go at once, and the others in the order in which they came; who finds too many waiting is turned away with an error. */
export type Turns = <T>(go: () => Promise<T>) => Promise<T>;

interface TurnsOptions {
  readonly atOnceMax: number;
  /** None is turned away where it is not said. */
  readonly waitingMax?: number;
}

export function createTurns({ atOnceMax, waitingMax = Infinity }: TurnsOptions): Turns {
  const waiting: (() => void)[] = [];
  let going = 0;
  return async go => {
    if (waiting.length >= waitingMax) throw new Error('too many wait for their turn');
    if (going === atOnceMax) await new Promise<void>(next => waiting.push(next));
    else going += 1;
    try {
      return await go();
    } finally {
      // A turn is handed on and never free between two: nobody who comes now is faster than who waits.
      const next = waiting.shift();
      if (next === undefined) going -= 1;
      else next();
    }
  };
}
