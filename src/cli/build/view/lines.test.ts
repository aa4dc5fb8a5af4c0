import { describe, expect, it } from 'vitest';
import type { Output } from '../../context.ts';
import type { Row, TicketStatus } from '../follow/board.ts';
import { newsLines } from './lines.ts';
import { clockText, duration, roughly } from './words.ts';

const out: Output = { isTerminal: false, hasColour: false, write() {} };
const row = (status: TicketStatus, more: Partial<Row> = {}): Row => ({
  id: 'TKT-001',
  title: 'Store\u001b[2J',
  needs: [],
  depth: 0,
  status,
  reason: null,
  proof: null,
  attempts: 1,
  since: undefined,
  begun: 1_000,
  ended: undefined,
  run: undefined,
  ...more,
});
const line = (from: TicketStatus, to: Row) => newsLines({ kind: 'ticket', row: to, from, at: 6_000 }, { out, elapsed: 65_000 });

describe('a move of a ticket in one line', () => {
  it.each<[TicketStatus, Row, readonly string[]]>([
    ['claimed', row('running'), ['  1:05  TKT-001   working    Store [2J']],
    ['claimed', row('running', { attempts: 2 }), ['  1:05  TKT-001   working    Store [2J, attempt 2']],
    ['merging', row('completed', { proof: 'proven' }), ['  1:05  TKT-001   merged     Store [2J, 5.0 s']],
    ['merging', row('completed', { proof: 'unproven' }), ['  1:05  TKT-001   merged     Store [2J, 5.0 s, unproven']],
    ['verifying', row('ready', { reason: 'red' }), ['  1:05  TKT-001   sent back  Store [2J: red']],
    ['running', row('failed', { reason: 'gave up\u0007' }), ['  1:05  TKT-001   failed     Store [2J: gave up']],
    ['blocked', row('ready'), []],
    ['ready', row('claimed'), []],
  ])('from %s', (from, to, lines) => {
    expect(line(from, to)).toEqual(lines);
  });
});

it.each([
  [40, '40 ms', '0:00'],
  [7_240, '7.2 s', '0:07'],
  [65_000, '1:05', '1:05'],
  [7_384_000, '2:03:04', '2:03:04'],
  [-5, '0 ms', '0:00'],
])('%i ms is %s', (ms, text, clock) => {
  expect([duration(ms), clockText(ms)]).toEqual([text, clock]);
});

it.each([
  [300, 'a few seconds'],
  [23_000, 'about 25 s'],
  [110_000, 'about 2 min'],
  [3_900_000, 'about 1 h 5 min'],
])('%i ms are %s', (ms, text) => {
  expect(roughly(ms)).toBe(text);
});
