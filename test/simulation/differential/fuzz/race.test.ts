import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Statement } from '../../../../src/db/statement.ts';
import { createDice } from '../../world/dice.ts';
import { type Lockstep, openLockstep } from './lockstep.ts';
import { rivals } from './rivals.ts';
import { rows } from './rows.ts';
import { allStatements } from './statements.ts';

const turnCount = Number(process.env['SKEP_RACE_TURNS'] ?? 400);
const seed = Number(process.env['SKEP_RACE_SEED'] ?? 1);
const sessionCount = 3;

let lockstep: Lockstep;
let writing: Statement<unknown>[];

beforeAll(async () => {
  writing = (await allStatements()).filter(({ text }) => /\b(insert|update|delete)\b/.test(text));
  lockstep = await openLockstep(seed, writing);
  await lockstep.fill(rows);
});

afterAll(() => lockstep.close());

test('who waits in memory waits on PostgreSQL, and nobody else', async () => {
  const dice = createDice(seed, 'race');
  let waits = 0;
  for (let turn = 0; turn < turnCount; turn++) {
    const session = dice.between(1, sessionCount);
    const rival = dice.chance(0.7) ? dice.pick(rivals) : undefined;
    const outcome =
      rival === undefined
        ? await lockstep.interleave(dice.pick(writing), { session })
        : await lockstep.interleave(rival.statement, { session, values: rival.values(dice) });
    if (outcome.waits) waits += 1;
    const isOver = outcome.waits || dice.chance(0.25);
    const left = isOver ? await lockstep.end(session, dice.chance(0.3) ? 'commit' : 'rollback') : undefined;
    expect([outcome.difference, left], `turn ${turn}`).toEqual([undefined, undefined]);
  }
  for (let session = 1; session <= sessionCount; session++) await lockstep.end(session, 'commit');
  expect(waits).toBeGreaterThan(turnCount / 50);
  expect(await lockstep.tablesDiffer()).toBeUndefined();
}, 300_000);
