import { describe, expect, test } from 'vitest';
import { Blocked } from '../types.ts';
import { aTenant, commitIn, emptyStorage } from './fixture.ts';
import type { LockMode, StorageTransaction, Tuple } from './types.ts';

// Table 13.3 of PostgreSQL's manual, row by row.
const conflicting: Readonly<Record<LockMode, readonly LockMode[]>> = {
  'key share': ['update'],
  share: ['no key update', 'update'],
  'no key update': ['share', 'no key update', 'update'],
  update: ['key share', 'share', 'no key update', 'update'],
};
const modes = Object.keys(conflicting) as LockMode[];

describe.each(modes)('who wants %s', wanted => {
  test.each(modes)('and meets %s', held => {
    const { one, two, tuple } = place();
    one.lock(tuple, held);
    const waits = conflicting[wanted].includes(held);
    expect(outcome(() => two.lock(tuple, wanted))).toBe(waits ? one.id : 'locked');
    const three = place();
    three.one.lock(three.tuple, held);
    expect(three.two.lock(three.tuple, wanted, { skipLocked: true })).toBe(waits ? 'skipped' : 'locked');
  });
});

test('a weaker wish does not weaken what is held', () => {
  const { one, two, tuple } = place();
  one.lock(tuple, 'update');
  one.lock(tuple, 'key share');
  expect(outcome(() => two.lock(tuple, 'key share'))).toBe(one.id);
});

test('two who share cannot both go on to write', () => {
  const { one, two, tuple } = place();
  one.lock(tuple, 'share');
  two.lock(tuple, 'share');
  expect(outcome(() => one.lock(tuple, 'no key update'))).toBe(two.id);
  two.rollback();
  expect(outcome(() => one.lock(tuple, 'no key update'))).toBe('locked');
});

test.each(['commit', 'rollback'] as const)('%s sets free, and says so', end => {
  const { one, two, tuple } = place();
  one.lock(tuple, 'update');
  const said: string[] = [];
  one.whenOver(() => said.push('over'));
  one[end]();
  expect([said, one.isOver, outcome(() => two.lock(tuple, 'update'))]).toEqual([['over'], true, 'locked']);
});

test('undo sets free what was locked since the mark, and keeps what was locked before in its mode', () => {
  const { one, two, tuple } = place();
  one.lock(tuple, 'key share');
  const mark = one.mark();
  one.lock(tuple, 'update');
  one.undo(mark);
  expect(outcome(() => two.lock(tuple, 'no key update'))).toBe('locked');
  two.rollback();
  const three = place();
  three.one.lock(three.tuple, 'key share');
  expect(outcome(() => three.two.lock(three.tuple, 'update'))).toBe(three.one.id);
});

test('an advisory lock is held until the end by one, who may ask again', () => {
  const { one, two } = place();
  one.advisoryLock(7n);
  one.advisoryLock(7n);
  expect(outcome(() => two.advisoryLock(7n))).toBe(one.id);
  two.advisoryLock(8n);
  one.commit();
  expect(outcome(() => two.advisoryLock(7n))).toBe('locked');
});

test('undo gives an advisory lock back', () => {
  const { one, two } = place();
  const mark = one.mark();
  one.advisoryLock('a');
  one.undo(mark);
  expect(outcome(() => two.advisoryLock('a'))).toBe('locked');
});

describe('a table that is locked whole', () => {
  test('is read, and written by its holder alone', () => {
    const { one, two, tuple } = place();
    one.lockTable('tenants');
    one.update(tuple, one.read(tuple) ?? []);
    expect(two.read(tuple)).toBeDefined();
    expect(outcome(() => two.update(tuple, two.read(tuple) ?? []))).toBe(one.id);
    expect(outcome(() => two.lockTable('tenants'))).toBe(one.id);
  });

  test('is waited for by who would write to it, though he finds no row, and waits for him', () => {
    const { one, two } = place();
    two.willWrite('tenants');
    expect(outcome(() => one.lockTable('tenants'))).toBe(two.id);
    two.rollback();
    one.lockTable('tenants');
    const three = place();
    three.one.lockTable('tenants');
    expect(outcome(() => three.two.willWrite('tenants'))).toBe(three.one.id);
  });

  test('waits for whoever has written to it', () => {
    const { one, two, tuple } = place();
    const mark = one.mark();
    one.update(tuple, one.read(tuple) ?? []);
    expect(outcome(() => two.lockTable('tenants'))).toBe(one.id);
    one.undo(mark);
    expect(outcome(() => two.lockTable('tenants'))).toBe('locked');
    two.commit();
    expect(outcome(() => one.lockTable('tenants'))).toBe('locked');
  });
});

function place(): { one: StorageTransaction; two: StorageTransaction; tuple: Tuple } {
  const storage = emptyStorage();
  const [tuple] = commitIn(storage, aTenant);
  if (tuple === undefined) throw new Error('no row');
  return { one: storage.begin(), two: storage.begin(), tuple };
}

/** Whom it waits for, or that it does not wait. */
function outcome(ask: () => unknown): number | 'locked' {
  try {
    ask();
    return 'locked';
  } catch (error) {
    if (error instanceof Blocked) return error.by.id;
    throw error;
  }
}
