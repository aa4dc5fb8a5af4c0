/**
 * Runs seeds by hand: `npx tsx test/simulation/main.ts SEED [COUNT]`, with the trace where it is one, and says what went wrong in them and
 * how often; or, by `kept SEED`, the world of a seed as it was when it broke a rule.
 */
import { writeSync } from 'node:fs';
import { kept, lineFor } from './kept.ts';
import { addStruck, neverStruck, type Struck, tellStruck } from './pool/struck.ts';
import { simulate, tell } from './simulate.ts';

const [, , word = '1', second = '1'] = process.argv;
const isKept = word === 'kept';
const [first, count] = isKept ? [second, '1'] : [word, second];
const options = isKept ? kept.find(({ seed }) => seed === Number(second))?.options : undefined;
if (isKept && options === undefined) throw new Error(`no world of the seed ${second} is kept`);
const say = (line: string): void => void writeSync(1, `${line}\n`);

let failed = 0;
let struck: Struck = {};
const since = performance.now();
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const result = await simulate(seed, { isTraceWhole: count === '1', ...(options === undefined ? {} : { options }) });
  struck = addStruck(struck, result.struck);
  if (count === '1') for (const line of result.trace) say(line);
  if (result.violation === undefined) {
    if (count === '1') say(`${tell(result)}\n${JSON.stringify(result.figures)} ${result.hash}`);
    continue;
  }
  failed += 1;
  say(tell(result));
  if (count === '1' && !isKept) say(`for kept.jsonl: ${await lineFor(seed, result.violation.rule)}`);
}
for (const line of tellStruck(struck)) say(line);
if (count !== '1' && neverStruck(struck).length > 0) say(`never: ${neverStruck(struck).join(', ')}`);
say(`${count} seeds, ${failed} violations, ${Math.round(performance.now() - since)} ms`);
process.exitCode = failed === 0 ? 0 : 1;
