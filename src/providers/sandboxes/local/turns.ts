/** Lets so many at once, and the others in the order in which they came. */
export type Turns = <T>(go: () => Promise<T>) => Promise<T>;

export function createTurns(atOnceMax: number): Turns {
  const waiting: (() => void)[] = [];
  let going = 0;
  return async go => {
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
