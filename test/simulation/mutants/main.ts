/** Says after how many seeds each mutant dies, and by which rule: `npx tsx test/simulation/mutants/main.ts [FIRST] [COUNT] [NAME…]`. */
import { writeSync } from 'node:fs';
import { openPool } from '../pool/index.ts';
import { dying, tellDying } from './dying.ts';
import { mutants } from './index.ts';

const [first = '1', count = '3000', ...names] = process.argv.slice(2);
const pool = await openPool();
for (const mutant of mutants) {
  if (names.length > 0 && !names.includes(mutant.name)) continue;
  const since = performance.now();
  const how = await dying(pool, mutant, { firsts: [Number(first)], count: Number(count) });
  writeSync(1, `${tellDying(mutant, how)} (${Math.round(performance.now() - since)} ms)\n`);
}
await pool.close();
