/** Lets at most so many go at once; the others wait for their turn, and who finds too many waiting is turned away with an error. */
export type Turns = <T>(go: () => Promise<T>) => Promise<T>;

export function createTurns({ atOnceMax, waitingMax }: { readonly atOnceMax: number; readonly waitingMax: number }): Turns {
  const waiting: (() => void)[] = [];
  let going = 0;
  return async go => {
    if (waiting.length >= waitingMax) throw new Error('too many wait for their turn');
    if (going >= atOnceMax) await new Promise<void>(resolve => waiting.push(resolve));
    else going += 1;
    try {
      return await go();
    } finally {
      const next = waiting.shift();
      if (next === undefined) going -= 1;
      else next();
    }
  };
}
