import { describe, expect, it } from 'vitest';
import type { Output } from '../../context.ts';
import { width } from '../../output/text.ts';
import type { Row } from '../follow/board.ts';
import { frameLines } from './frame.ts';
import type { Scene } from './frame.ts';

const out: Output = { isTerminal: true, hasColour: false, write() {} };
const row = (number: number, more: Partial<Row> = {}): Row => ({
  id: `TKT-${String(number).padStart(3, '0')}`,
  title: `Feature ${number}`,
  needs: [],
  depth: 0,
  status: 'blocked',
  reason: null,
  proof: null,
  attempts: 0,
  since: undefined,
  begun: undefined,
  ended: undefined,
  run: undefined,
  ...more,
});
const scene = (rows: readonly Row[], more: Partial<Scene> = {}): Scene => ({
  name: 'Todo app',
  note: '',
  rows,
  stage: undefined,
  outputs: new Map([['r1', 'compiling the world']]),
  now: 70_000,
  elapsed: 65_000,
  left: 120_000,
  foot: 'Ctrl-C stops it',
  ...more,
});
const size = { columns: 100, rows: 24 };

describe('the live view', () => {
  it('shows the graph with what each ticket is at', () => {
    const rows = [
      row(1, { status: 'completed', begun: 0, ended: 4_200, proof: 'unproven', attempts: 2 }),
      row(2, { status: 'running', begun: 63_000, run: { id: 'r1', kind: 'ticket', since: 0 } }),
      row(3, { depth: 1, needs: ['TKT-001', 'TKT-002'] }),
      row(4, { status: 'waiting', reason: 'a person must look at it' }),
    ];
    expect(frameLines(scene(rows), out, size)).toEqual([
      'Todo app  1 of 4 merged  1:05, about 2 min left  1 working, 1 waiting, 1 blocked',
      '',
      'TKT-001  merged      4.2 s  Feature 1    unproven, 2 attempts',
      'TKT-002  working      0:07  Feature 2    agent: compiling the world',
      'TKT-003  blocked              Feature 3  <- TKT-001, TKT-002',
      'TKT-004  waiting            Feature 4    a person must look at it',
      'Ctrl-C stops it',
    ]);
  });

  it('tells what happens before there is work', () => {
    const [first] = frameLines(scene([row(1)], { stage: 'checking the base commit', left: undefined }), out, size);
    expect(first).toBe('Todo app  checking the base commit  1:05');
  });

  const many = Array.from({ length: 500 }, (_, i) =>
    row(i + 1, {
      title: `長い題名 ${i} `.repeat(8),
      status: i < 40 ? 'completed' : i === 300 ? 'running' : i === 400 ? 'failed' : 'blocked',
      begun: i < 40 ? 0 : undefined,
      ended: i < 40 ? i * 1_000 : undefined,
    }),
  );

  it.each([
    [80, 24],
    [40, 10],
    [20, 3],
    [200, 60],
    [1, 1],
  ])('fits %i columns and %i rows with 500 tickets', (columns, rows) => {
    const lines = frameLines(scene(many), out, { columns, rows });
    expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 1));
    expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(Math.max(10, columns - 1));
  });

  it('shows of many what is at work, what went wrong and what was merged last, and counts the rest', () => {
    const lines = frameLines(scene(many), out, { columns: 80, rows: 10 });
    expect(lines.slice(2, 7).map(line => line.split('  ')[0])).toEqual(['TKT-301', 'TKT-401', 'TKT-040', 'TKT-039', 'TKT-038']);
    expect(lines.at(-2)).toBe('… 495 more: 37 merged, 458 blocked');
  });

  it('lets neither a title nor an output steer the terminal', () => {
    const rows = [row(1, { title: 'a\u001b[2Jb\nc', status: 'failed', reason: 'x\u0007y' })];
    expect(frameLines(scene(rows, { name: '\u001b]0;x' }), out, size).join('')).not.toMatch(/[\u0000-\u001f\u007f]/);
  });

  it('says that it is a recorded demo, however long the name is', () => {
    const [first = ''] = frameLines(scene([row(1)], { name: 'x'.repeat(200), note: ' (recorded demo)' }), out, {
      columns: 60,
      rows: 24,
    });
    expect(first).toContain('… (recorded demo)');
  });
});
