import { expect, test } from 'vitest';
import { bench, leased, queued, ticket } from './history.ts';

test('a second run of a subject is queued while the first is held', () => {
  const made = bench();
  made.commit(0, [], ['tickets', 'T', ticket], ['runs', 'r1', queued]);
  made.commit(10, ['one'], ['runs', 'r1', leased('one', 10)], ['tickets', 'T', { status: 'claimed', attempts: 1 }]);
  made.commit(20, [], ['runs', 'r2', { ...queued, attempt: 2 }]);
  expect(made.rule()).toBe('a subject has one live run');
});

test.each([
  { which: 'later', order: [0, 1], rule: undefined },
  { which: 'earlier', order: [1, 0], rule: 'the word of a push is not taken back' },
] as const)('the word of a push is followed by that of one that is $which', ({ order, rule }) => {
  const made = bench();
  const base = made.graph.commit({ tree: new Map([['a', '']]), parents: [made.graph.root], message: 'base', at: new Date(0) });
  const tip = made.graph.commit({ tree: new Map([['b', '']]), parents: [base], message: 'tip', at: new Date(0) });
  const heads = [base, tip];
  const trunk = { state: 'ready', base_sha: base, head_sha: null, published_sha: null, branch: 'b', spec_id: 's' };
  made.commit(0, [], ['trunks', 'k', trunk]);
  for (const [i, at] of order.entries()) made.commit(i + 1, [], ['trunks', 'k', { published_sha: heads[at] }]);
  expect(made.rule()).toBe(rule);
});
