import { expect, it } from 'vitest';
import { createTurns } from './turns.ts';

it('lets so many at once, the others in their order, and nobody who comes later before them', async () => {
  const turns = createTurns({ atOnceMax: 2 });
  const begun: number[] = [];
  const end: (() => void)[] = [];
  const come = (number: number) =>
    turns(async () => {
      begun.push(number);
      await new Promise<void>(resolve => (end[number] = resolve));
      if (number === 1) throw new Error('it broke');
    });
  const all = [0, 1, 2, 3].map(come);
  expect(begun).toEqual([0, 1]);
  end[1]?.();
  await expect(all[1]).rejects.toThrow('it broke');
  // In the moment in which a turn is handed on.
  const late = come(4);
  expect(begun).toEqual([0, 1, 2]);
  end[0]?.();
  await all[0];
  expect(begun).toEqual([0, 1, 2, 3]);
  end[2]?.();
  end[3]?.();
  await Promise.all([all[2], all[3]]);
  end[4]?.();
  await late;
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});

it('turns away who finds too many waiting', async () => {
  const turns = createTurns({ atOnceMax: 1, waitingMax: 1 });
  let end = (): void => {};
  const first = turns(() => new Promise<void>(resolve => (end = resolve)));
  const second = turns(async () => 'second');
  await expect(turns(async () => 'third')).rejects.toThrow('too many wait');
  end();
  await first;
  await expect(second).resolves.toBe('second');
});
