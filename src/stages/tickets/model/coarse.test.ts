import { expect, test } from 'vitest';
import { coarse, observedPathsMax } from './coarse.ts';

const many = (name: (i: number) => string, count = observedPathsMax + 1) => Array.from({ length: count }, (_, i) => name(i));

test('a few paths are kept as they are, in order and once', () => {
  expect(coarse(['src/b.ts', 'a', 'src/b.ts'])).toEqual(['a', 'src/b.ts']);
  expect(coarse([])).toEqual([]);
});

test('of too many the folders are kept, the deepest given up first', () => {
  expect(coarse([...many(i => `src/deep/${i}.ts`), 'src/a.ts', 'README'])).toEqual(['README', 'src/a.ts', 'src/deep']);
  expect(coarse(many(i => `src/${i}/deep/x`))).toEqual(['src']);
});

test('never more than the most', () => {
  expect(coarse(many(i => `f${i}`, 5_000))).toHaveLength(observedPathsMax);
  expect(coarse(many(i => `d${i}/f`, 5_000))).toHaveLength(observedPathsMax);
});
