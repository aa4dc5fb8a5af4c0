import { describe, expect, test } from 'vitest';
import type { WireTop } from '../../../contract/fleet/top.ts';
import { width } from '../output/text.ts';
import { endless, pictureLines } from './picture.ts';

const at = Date.parse('2026-01-02T03:04:05.000Z');
const iso = (ms: number) => new Date(at + ms).toISOString();
const id = (n: number) => `${String(n).padStart(8, '0')}-1111-4222-8333-444455556666`;
const out = { isTerminal: true, hasColour: false, write() {} };

const run = (n: number, more: Partial<WireTop['runs'][number]> = {}): WireTop['runs'][number] => ({
  ...{
    id: id(n),
    subject_type: 'ticket',
    subject_id: `TKT-00${n}`,
    ticket_id: `TKT-00${n}`,
    title: 'Add the login',
    project: 'web',
  },
  ...{ attempt: 1, state: 'working', phase: 'stream', health: 'ok', worker: 'builder', held_ms: 65_000, lease_left_ms: 12_300 },
  ...more,
});

const worker = (name: string, more: Partial<WireTop['workers'][number]> = {}): WireTop['workers'][number] => ({
  ...{
    name,
    incarnation: id(9),
    host: 'h',
    version: '1.4.0',
    slots: 4,
    busy: 1,
    capabilities: ['agent:codex', 'label:gpu', 'checks'],
  },
  ...{ sandbox: {}, state: 'active', is_told_to_drain: false, started_at: iso(-60_000), beat_at: iso(-2_000) },
  ...more,
});

const quiet: WireTop = {
  at: iso(0),
  queue: { due: 0, later: 0, aged: 0, oldest_ms: null, held_back: [], waiting: 0, questions: 0 },
  ...{ runs: [], retries: [], workers: [], servers: [], breakers: [] },
  brake: { state: 'off', reason: '', pulled_by: '', pulled_at: null, due_at: null, pulls: 0 },
};

const busy: WireTop = {
  ...quiet,
  queue: {
    ...{ due: 12, later: 1, aged: 1, oldest_ms: 252_000, waiting: 2, questions: 1 },
    held_back: [{ why: 'limit', runs: 7, detail: 'at most 2 runs of project web' }],
  },
  runs: [
    run(1, { health: 'degraded', lease_left_ms: 1_200 }),
    run(2, { subject_type: 'review', state: 'starting', phase: null }),
    run(3, { subject_type: 'spec_phase', ticket_id: null, title: null }),
  ],
  retries: [
    {
      id: id(7),
      subject_type: 'ticket',
      subject_id: 'TKT-007',
      ticket_id: 'TKT-007',
      attempt: 3,
      due_in_ms: 31_000,
      reason: 'network: no route',
    },
  ],
  workers: [
    worker('builder'),
    worker('told', { is_told_to_drain: true }),
    worker('old', { state: 'gone', beat_at: iso(-41_000) }),
  ],
  servers: [
    { id: id(4), name: 'skep-1:81', version: '1', url: 'http://a', state: 'active', started_at: iso(0), beat_at: iso(-1_000) },
    { id: id(5), name: '', version: '1', url: '', state: 'draining', started_at: iso(0), beat_at: iso(-20_000) },
  ],
  breakers: [
    { provider: 'anthropic', model: 'big', state: 'open', open_until: iso(24_000), changed_at: iso(0) },
    { provider: 'openai', model: 'small', state: 'closed', open_until: null, changed_at: iso(0) },
  ],
  brake: { state: 'on', reason: 'all fails', pulled_by: 'storm', pulled_at: iso(-62_000), due_at: iso(58_000), pulls: 1 },
};

const picture = (top: WireTop, size = endless, more: { awayMs?: number; foot?: string } = {}) =>
  pictureLines({ top, server: 'http://skep', awayMs: undefined, foot: '', ...more }, out, size);

test('all of it, where there is room', () => {
  expect(picture(busy)).toEqual([
    'skep top  http://skep  03:04:05Z',
    'BRAKE     on for 1:02, tried again in 0:58, or skep brake lift; by storm: all fails',
    'queue     12 due (the oldest for 4:12), 1 aged, 1 later, 2 tickets wait for a person, 1 question',
    'held      7 by a limit: at most 2 runs of project web',
    'runs      3 held: 2 working, 1 starting; 1 degraded',
    'workers   2 active, 1 gone; 2 of 8 slots busy',
    'servers   skep-1:81 active, 00000005 silent for 0:20',
    'breakers  anthropic big open, for 0:24',
    '',
    'RUN       OF              PROJECT  TRY  STATE     PHASE   HEALTH    HELD  LEASE  WORKER   TITLE',
    '00000001  TKT-001         web        1  working   stream  degraded  1:05    2 s  builder  Add the login',
    '00000002  TKT-002 checks  web        1  starting  -       ok        1:05   13 s  builder  Add the login',
    '00000003  planning        web        1  working   stream  ok        1:05   13 s  builder  -',
    '',
    'RETRY     OF       TRY  DUE IN  AFTER',
    '00000007  TKT-007    3    0:31  network: no route',
    '',
    'WORKER   STATE     BUSY     HEARD  HOST  VERSION  OFFERS',
    'builder  active     1/4  0:02 ago  h     1.4.0    codex gpu checks',
    'told     draining   1/4  0:02 ago  h     1.4.0    codex gpu checks',
    'old      gone       1/4  0:41 ago  h     1.4.0    codex gpu checks',
  ]);
});

test('of nothing, and of the brake in its other states', () => {
  expect(picture(quiet)).toEqual([
    'skep top  http://skep  03:04:05Z',
    'queue     0 due, 0 later',
    'runs      none is held',
    'workers   none has said that it is there',
  ]);
  const brakeLine = (more: Partial<WireTop['brake']>) => picture({ ...quiet, brake: { ...busy.brake, ...more } })[1];
  expect(brakeLine({ due_at: null, pulled_by: `token:${id(1)}` })).toBe(
    'BRAKE     on for 1:02, until skep brake lift; by token:00000001: all fails',
  );
  expect(brakeLine({ due_at: iso(-1) })).toBe(
    'BRAKE     on for 1:02, about to be tried again, or skep brake lift; by storm: all fails',
  );
  expect(brakeLine({ state: 'trying' })).toBe('BRAKE     eased: one run at a time, until one is handed in; it was on: all fails');
});

describe('in a terminal of any size', () => {
  const many = { ...busy, runs: Array.from({ length: 200 }, (_, n) => run(n, { title: 'Ü漢字🙂\u001b[2J\n'.repeat(9) })) };

  test('it is never wider or higher, and steers nothing', () => {
    for (const columns of [1, 5, 20, 40, 79, 120, 200]) {
      for (const rows of [1, 2, 3, 5, 10, 16, 24, 60]) {
        for (const awayMs of [undefined, 12_000]) {
          const lines = picture(many, { columns, rows }, { foot: 'q ends', ...(awayMs === undefined ? {} : { awayMs }) });
          expect([columns, rows, lines.length]).toEqual([columns, rows, rows]);
          for (const line of lines)
            expect([columns, width(line) <= columns, /[\u0000-\u001f]/.test(line)]).toEqual([columns, true, false]);
        }
      }
    }
  });

  test('what matters less goes first: title, project and worker before state and health', () => {
    const head = (columns: number) => picture(busy, { columns, rows: 40 }).find(line => /^(RUN|OF) /.test(line));
    expect(head(120)).toBe('RUN       OF              PROJECT  TRY  STATE     PHASE   HEALTH    HELD  LEASE  WORKER   TITLE');
    expect(head(80)).toBe('RUN       OF              STATE     PHASE   HEALTH    HELD  LEASE  TITLE');
    expect(head(51)).toBe('RUN       OF              STATE     HEALTH    LEASE');
    expect(head(25)).toBe('OF              STATE');
  });

  test('of more rows than there is room for it says how many are missing', () => {
    const lines = picture(busy, { columns: 100, rows: 18 }, { foot: 'q ends' });
    expect(lines).toHaveLength(18);
    expect(lines.at(-1)).toBe('q ends');
    expect(lines.filter(line => /^0{7}/.test(line)).map(line => line.slice(0, 8))).toEqual([
      '00000001',
      '00000002',
      '00000003',
      '00000007',
    ]);
    expect(picture(many, { columns: 100, rows: 30 })).toContain('… at least 189 more');
    const few = { ...busy, runs: many.runs.slice(0, 20) };
    expect(picture(few, { columns: 100, rows: 30 }).filter(line => line.startsWith('…'))).toEqual(['… 9 more']);
  });

  test('a server that does not answer is said in the first line', () => {
    expect(picture(quiet, endless, { awayMs: 12_000 })[0]).toBe(
      'skep top  http://skep  no answer for 0:12, trying again; as of 03:04:05Z',
    );
  });

  test('what is wrong has a colour, where there are colours', () => {
    const coloured = pictureLines({ top: busy, server: 's', awayMs: 1, foot: '' }, { ...out, hasColour: true }, endless);
    const red = coloured.filter(line => line.includes('\u001b[31m')).map(line => line.replace(/\u001b\[\d+m/g, '').slice(0, 8));
    expect(red).toEqual(['skep top', 'BRAKE   ', '00000001', 'old     ']);
  });
});
