/** Does work at once for at most so many; the others in the order in which they came. */
export function createTurns(atOnceMax: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let atWork = 0;
  return async work => {
    if (atWork < atOnceMax) atWork++;
    else await new Promise<void>(resolve => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) atWork--;
      else next();
    }
  };
}
