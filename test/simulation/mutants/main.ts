/** Says after how many seeds each mutant dies: `npx tsx test/simulation/mutants/main.ts [FIRST] [COUNT] [NAME…]`. */
import { writeSync } from 'node:fs';
import { openPool } from '../pool/index.ts';
import { mutants } from './index.ts';

const [first = '1', count = '3000', ...names] = process.argv.slice(2);
const pool = await openPool();
for (const { name } of mutants) {
  if (names.length > 0 && !names.includes(name)) continue;
  const since = performance.now();
  const { violations } = await pool.run({ first: Number(first), count: Number(count), mutant: name, isFirstEnough: true });
  const [died] = violations;
  const how = died === undefined ? `lives after ${count} seeds` : `dies at seed ${died.seed}: ${died.rule}`;
  writeSync(1, `${name} ${how} (${Math.round(performance.now() - since)} ms)\n`);
}
await pool.close();
