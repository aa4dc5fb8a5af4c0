import { describe, expect, it } from 'vitest';
import { standingOf } from './standing.ts';

type Seen = Parameters<typeof standingOf>[0];
const sha = (letter: string) => letter.repeat(40);
const ready = { state: 'ready', base_sha: sha('a'), head_sha: sha('b'), published_sha: sha('b'), publish_error: null } as const;
const rows = (...statuses: Seen['rows'][number]['status'][]) =>
  statuses.map((status, i) => ({ id: `TKT-${i}`, status, needs: [] }));
const building = { state: 'building' } as const;

describe('how a build stands', () => {
  it.each<[string, Seen, ReturnType<typeof standingOf>]>([
    ['before there is a trunk', { session: building, trunk: undefined, result: undefined, rows: rows('ready') }, 'moving'],
    [
      'while the base is checked',
      { session: building, trunk: { ...ready, state: 'checking' }, result: undefined, rows: rows('ready') },
      'moving',
    ],
    [
      'when the base is refused',
      { session: building, trunk: { ...ready, state: 'refused' }, result: undefined, rows: rows('ready') },
      'refused',
    ],
    [
      'when its session is cancelled',
      { session: { state: 'cancelled' }, trunk: ready, result: undefined, rows: rows('cancelled') },
      'cancelled',
    ],
    [
      'while a ticket is at work beside one that failed',
      { session: building, trunk: ready, result: undefined, rows: rows('failed', 'running') },
      'moving',
    ],
    [
      'while a ticket waits for its next attempt',
      { session: building, trunk: ready, result: undefined, rows: rows('ready', 'completed') },
      'moving',
    ],
    [
      'when the rest is blocked behind a failed one',
      { session: building, trunk: ready, result: undefined, rows: rows('failed', 'blocked') },
      'failed',
    ],
    [
      'when the rest waits for a person',
      { session: building, trunk: ready, result: undefined, rows: rows('waiting', 'blocked') },
      'waiting',
    ],
    [
      'when one failed and one waits',
      { session: building, trunk: ready, result: undefined, rows: rows('waiting', 'failed') },
      'failed',
    ],
    [
      'before it is pushed',
      { session: building, trunk: { ...ready, published_sha: null }, result: undefined, rows: rows('completed') },
      'moving',
    ],
    [
      'when it could not be pushed',
      {
        session: building,
        trunk: { ...ready, published_sha: null, publish_error: 'gone' },
        result: undefined,
        rows: rows('completed'),
      },
      'unpublished',
    ],
    ['before its result is validated', { session: building, trunk: ready, result: undefined, rows: rows('completed') }, 'moving'],
    [
      'when a person rejected its result',
      { session: building, trunk: ready, result: 'rejected', rows: rows('completed') },
      'rejected',
    ],
    [
      'when its result is validated',
      { session: { state: 'completed' }, trunk: ready, result: undefined, rows: rows('completed') },
      'completed',
    ],
    [
      'when nothing had to be merged',
      {
        session: { state: 'completed' },
        trunk: { ...ready, head_sha: sha('a'), published_sha: null },
        result: undefined,
        rows: rows('completed'),
      },
      'completed',
    ],
  ])('%s', (_, seen, standing) => {
    expect(standingOf(seen)).toBe(standing);
  });
});
