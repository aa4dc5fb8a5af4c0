import { describe, expect, test } from 'vitest';
import { type Candidate, choose } from './fallback.ts';
import { routeIn } from '../../../../contract/templates/router.ts';

describe('a router', () => {
  const router = { routes: [{ types: ['bug' as const, 'task' as const], template: 'careful@2' }], default: 'quick' };

  test('names the template of the first rule with that type, else its default', () => {
    expect(['bug', 'task', 'feature'].map(type => routeIn(router, type))).toEqual(['careful@2', 'careful@2', 'quick']);
  });

  test('without a default it says nothing of other types; where there is none it says nothing at all', () => {
    expect(routeIn({ routes: router.routes }, 'feature')).toBeUndefined();
    expect(routeIn(null, 'bug')).toBeUndefined();
  });
});

describe('who stands in', () => {
  const by = (id: string, ...breakers: Candidate['targets'][number]['breaker'][]): Candidate => ({
    id,
    targets: breakers.map((breaker, i) => ({ name: `${id}/${i}`, breaker })),
  });

  test('nobody while the first is answered for, or asks no model that is known', () => {
    expect(choose(by('a', 'closed'), [by('b', 'closed')])).toEqual({ id: 'a', standsIn: null });
    expect(choose(by('a'), [by('b', 'closed')])).toEqual({ id: 'a', standsIn: null });
    expect(choose(by('a', 'open', 'closed'), [by('b', 'closed')])).toEqual({ id: 'a', standsIn: null });
  });

  test('the first of the others that is answered for', () => {
    expect(choose(by('a', 'open'), [by('b', 'open'), by('c', 'due'), by('d'), by('e', 'closed')])).toEqual({
      id: 'd',
      standsIn: { why: 'a/0 does not answer: the breaker is open', isDue: false },
    });
  });

  test('nobody where all are as bad', () => {
    expect(choose(by('a', 'open'), [by('b', 'open')])).toEqual({ id: 'a', standsIn: null });
    expect(choose(by('a', 'open'), [])).toEqual({ id: 'a', standsIn: null });
  });

  test('it is time to look when one of the providers may be asked again', () => {
    expect(choose(by('a', 'open', 'due'), [by('b')])).toEqual({
      id: 'b',
      standsIn: { why: 'a/0 and a/1 do not answer: the breaker is open', isDue: true },
    });
  });
});
