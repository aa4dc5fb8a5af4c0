import { describe, expect, it } from 'vitest';
import type { Row } from './board.ts';
import { timeLeft } from './estimate.ts';

const row = (number: number, more: Partial<Row> = {}): Row => ({
  id: `TKT-${number}`,
  title: 't',
  needs: [],
  depth: 0,
  status: 'ready',
  reason: null,
  proof: null,
  attempts: 0,
  since: undefined,
  begun: undefined,
  ended: undefined,
  run: undefined,
  ...more,
});
const done = (number: number) => row(number, { status: 'completed', begun: 0, ended: 10_000 });
const now = 20_000;

describe('the time that is left', () => {
  it('is unknown before a ticket is done', () => {
    expect(timeLeft({ rows: [row(1), row(2)], now, width: 2 })).toBeUndefined();
  });

  it('is that of the work, spread over as many as work at once', () => {
    expect(timeLeft({ rows: [done(1), row(2), row(3), row(4), row(5)], now, width: 2 })).toBe(20_000);
  });

  it('is no less than the longest chain, however many work at once', () => {
    const chain = [row(2), row(3, { status: 'blocked', needs: ['TKT-2'] }), row(4, { status: 'blocked', needs: ['TKT-3'] })];
    expect(timeLeft({ rows: [done(1), ...chain], now, width: 100 })).toBe(30_000);
  });

  it('counts what is at work only for the rest, and what takes longer than usual for a little', () => {
    const begun = (ms: number) => row(2, { status: 'running', begun: now - ms });
    expect(timeLeft({ rows: [done(1), begun(4_000)], now, width: 1 })).toBe(6_000);
    expect(timeLeft({ rows: [done(1), begun(90_000)], now, width: 1 })).toBe(1_000);
  });

  it('is unknown where nothing moves', () => {
    expect(
      timeLeft({ rows: [done(1), row(2, { status: 'failed' }), row(3, { status: 'blocked', needs: ['TKT-2'] })], now, width: 1 }),
    ).toBeUndefined();
  });

  it('takes 2,000 tickets in one chain', () => {
    const rows = [done(0), ...Array.from({ length: 2_000 }, (_, i) => row(i + 1, { needs: i === 0 ? [] : [`TKT-${i}`] }))];
    expect(timeLeft({ rows, now, width: 8 })).toBe(20_000_000);
  });
});
