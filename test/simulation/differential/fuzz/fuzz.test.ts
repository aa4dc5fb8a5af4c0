import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Statement } from '../../../../src/db/statement.ts';
import { createDice } from '../../world/dice.ts';
import { type Lockstep, openLockstep } from './lockstep.ts';
import { rows } from './rows.ts';
import { allStatements } from './statements.ts';

/** Of each statement, with values that were guessed anew. */
const roundCount = Number(process.env['SKEP_FUZZ_ROUNDS'] ?? 3);
const seed = Number(process.env['SKEP_FUZZ_SEED'] ?? 1);

let lockstep: Lockstep;
let statements: Statement<unknown>[];

beforeAll(async () => {
  statements = await allStatements();
  lockstep = await openLockstep(seed, statements);
  await lockstep.fill(rows);
});

afterAll(() => lockstep.close());

test('both begin with the same rows', async () => {
  expect(await lockstep.tablesDiffer()).toBeUndefined();
});

test('every statement answers in memory what it answers on PostgreSQL, and leaves the same', async () => {
  const dice = createDice(seed, 'kept');
  const differences = new Map<string, string>();
  const idle = new Set(statements.map(({ name }) => name));
  for (let round = 0; round < roundCount; round++) {
    for (const statement of statements) {
      if (differences.has(statement.name)) continue;
      const { difference, code } = await lockstep.tryOut(statement, { isKept: dice.chance(0.1) });
      if (difference !== undefined) differences.set(statement.name, difference);
      else if (code === undefined) idle.delete(statement.name);
    }
  }
  expect([...differences.values()]).toEqual([]);
  expect(idle.size).toBeLessThan(statements.length / 5);
  expect(await lockstep.tablesDiffer()).toBeUndefined();
}, 300_000);
