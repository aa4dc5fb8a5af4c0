/** Runs seeds by hand: `npx tsx test/simulation/main.ts SEED [COUNT]`, with the trace where it is one. */
import { writeSync } from 'node:fs';
import { shrink } from './shrink.ts';
import { simulate, tell } from './simulate.ts';

const [first = '1', count = '1'] = process.argv.slice(2);
const say = (line: string): void => void writeSync(1, `${line}\n`);

let failed = 0;
const since = performance.now();
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const result = await simulate(seed, { isTraceWhole: count === '1' });
  if (count === '1') for (const line of result.trace) say(line);
  if (result.violation === undefined) {
    if (count === '1') say(`${tell(result)}\n${JSON.stringify(result.figures)} ${result.hash}`);
    continue;
  }
  failed += 1;
  say(tell(result));
  if (count === '1') say(JSON.stringify(await shrink(seed, result.violation.rule)));
}
say(`${count} seeds, ${failed} violations, ${Math.round(performance.now() - since)} ms`);
process.exitCode = failed === 0 ? 0 : 1;
