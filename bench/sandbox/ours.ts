import { copyLimits } from '../../src/cli/bench/sandbox/figures/copies.ts';
import { measureOurs } from '../../src/cli/bench/sandbox/measure.ts';
import { openPlace } from '../../src/cli/bench/sandbox/place.ts';
import { benchLimits } from '../../src/cli/bench/sandbox/ways/provided.ts';
import type { Program } from '../../src/cli/bench/sandbox/ways/tiny.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Figure, figure, type Stage } from '../harness/bench.ts';

const rounds = 3;
const count = 100;

/** What `skep bench sandbox` tells beside the starts: queue, memory, end, working copies, cached dependencies. */
export async function issueFigures({
  stage,
  program,
  home,
}: {
  stage: Stage;
  program: Program;
  home: string;
}): Promise<Figure[]> {
  const place = await openPlace({ home, kind: 'local', clock: systemClock });
  stage.atEnd(() => place.clear([benchLimits, copyLimits(benchLimits)]));
  const signal = new AbortController().signal;
  const found = new Map<string, { readonly unit: string; readonly goal: number | undefined; readonly values: number[] }>();
  for (let round = 0; round < rounds; round++) {
    const asked = {
      place,
      program,
      count,
      clock: systemClock,
      signal,
      say: (what: string) => stage.say(`round ${round + 1}: ${what}`),
    };
    const { figures, lacking } = await measureOurs(asked);
    for (const { name, why } of lacking) stage.say(`not here: ${name}: ${why}`);
    for (const { name, unit, value, goal } of figures) {
      const known = found.get(name) ?? { unit, goal, values: [] };
      known.values.push(value);
      found.set(name, known);
    }
  }
  return [...found].map(([name, { unit, goal, values }]) =>
    figure(`ours: ${name}`, unit, { values, ...(goal === undefined ? {} : { goal: { is: 'at most', value: goal } }) }),
  );
}
