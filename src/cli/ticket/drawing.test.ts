import { describe, expect, it } from 'vitest';
import { depthOf } from './drawing.ts';

describe('the depth of tickets', () => {
  it('is the longest chain that leads to one', () => {
    const before = new Map([
      ['b', ['a']],
      ['c', ['b', 'a']],
    ]);
    expect(Object.fromEntries(depthOf(['c', 'b', 'a'], before))).toEqual({ a: 0, b: 1, c: 2 });
  });

  it('counts nothing that is not there', () => {
    expect(Object.fromEntries(depthOf(['a'], new Map([['a', ['gone']]])))).toEqual({ a: 0 });
  });

  it('follows a chain of a hundred thousand', () => {
    const ids = Array.from({ length: 100_000 }, (_, i) => String(i));
    const before = new Map(ids.slice(1).map((id, i) => [id, [String(i)]]));
    expect(depthOf(ids, before).get('99999')).toBe(99_999);
  });
});
