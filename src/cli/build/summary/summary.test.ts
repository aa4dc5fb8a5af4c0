import { describe, expect, it } from 'vitest';
import type { WireCosts } from '../../../../contract/models/budgets.ts';
import type { WireChange } from '../../../../contract/changes.ts';
import type { CheckEvidence, WireReview } from '../../../../contract/reviews.ts';
import type { WireTrunk } from '../../../../contract/trunks.ts';
import type { Output } from '../../context.ts';
import { commandsOf } from '../commands.ts';
import type { Row } from '../follow/board.ts';
import { summaryDocument } from './document.ts';
import type { Outcome } from './outcome.ts';
import { summaryText } from './text.ts';

const out: Output = { isTerminal: false, hasColour: false, write() {} };
const at = '2026-01-02T03:04:05.000Z';
const sha = (letter: string) => letter.repeat(40);
const uuid = '11111111-2222-4333-8444-555555555555';
const check: CheckEvidence = {
  name: 'npm test',
  command: ['npm', 'test'],
  outcome: 'exited',
  exit_code: 1,
  duration_ms: 1_500,
  flaky: false,
  tests: { total: 3, passed: 2, failed: 1, skipped: 0 },
  output_tail: 'not ok 1\u001b[2J\nexpected 2\n',
};
const trunk: WireTrunk = {
  id: uuid,
  project_id: uuid,
  spec_id: uuid,
  branch: 'skep/todo',
  state: 'ready',
  reason: null,
  hint: null,
  base_sha: sha('a'),
  head_sha: sha('b'),
  published_sha: sha('b'),
  publish_error: null,
  checks: [{ name: 'npm test', command: ['npm', 'test'] }],
  notes: [],
  merge_count: 2,
  created_at: at,
  updated_at: at,
};
const row = (number: number, more: Partial<Row> = {}): Row => ({
  id: `TKT-00${number}`,
  title: `Feature ${number}`,
  needs: [],
  depth: 0,
  status: 'completed',
  reason: null,
  proof: 'proven',
  attempts: 1,
  since: undefined,
  begun: undefined,
  ended: undefined,
  run: undefined,
  ...more,
});
const review: WireReview = {
  id: uuid,
  kind: 'submission',
  trunk_id: uuid,
  ticket_id: 'TKT-002',
  run_id: uuid,
  round: 1,
  state: 'needs_work',
  head_sha: sha('c'),
  base_sha: sha('a'),
  candidate_sha: sha('c'),
  checks: [check],
  flags: [],
  reason: null,
  created_at: at,
  ended_at: at,
};
const flagged: WireChange = {
  id: uuid,
  trunk_id: uuid,
  ticket_id: 'TKT-002',
  title: 'Feature 2',
  state: 'open',
  approval: 'needed',
  head_sha: sha('c'),
  base_sha: sha('a'),
  merge_sha: null,
  review_id: uuid,
  run_id: uuid,
  flags: [{ kind: 'tests', path: 'a.test.js', what: '`a.test.js` was modified' }],
  conflict_files: [],
  reason: null,
  created_at: at,
  queued_at: null,
  merged_at: null,
};
const noCalls: WireCosts['total'] = {
  calls: 0,
  failed_calls: 0,
  lost_calls: 0,
  open_calls: 0,
  unpriced_calls: 0,
  unpriced_models: [],
  input_tokens: 0,
  cached_tokens: 0,
  cache_write_tokens: 0,
  output_tokens: 0,
  reasoning_tokens: 0,
  cost_usd: '0.00',
};
const costs = (total: Partial<WireCosts['total']> = {}, recorded?: Partial<WireCosts['total']>): WireCosts => ({
  by: 'agent',
  rows: [],
  is_cut: false,
  total: { ...noCalls, ...total },
  recorded_total: recorded === undefined ? null : { ...noCalls, ...recorded, note: 'recorded demo: nothing was paid' },
});
const calls = {
  calls: 1_234,
  failed_calls: 2,
  input_tokens: 1_000_000,
  cached_tokens: 3_000,
  output_tokens: 4_000,
  cost_usd: '1.25',
};
const outcome = (more: Partial<Outcome> = {}): Outcome => ({
  standing: 'completed',
  name: 'Todo',
  note: '',
  sessionId: uuid,
  repository: '/srv/my repo',
  trunk,
  isPublished: true,
  rows: [row(1), row(2)],
  proof: 'proven',
  attempts: 3,
  checks: { runs: 4, durationMs: 6_000, isPartial: false, testsPassed: 3 },
  redBase: undefined,
  redReviews: new Map(),
  flagged: [],
  questions: [],
  costs: costs(),
  log: ['*   bbb Feature 2 (TKT-002)', '|\\', '* aaa Feature 1 (TKT-001)'],
  elapsed: 65_000,
  ...more,
});
const text = (more: Partial<Outcome> = {}, options: Parameters<typeof commandsOf>[0] = { checks: true }) =>
  summaryText(outcome(more), out, commandsOf(options));

describe('the summary', () => {
  it('of a completed build ends with what takes the branch', () => {
    expect(text().split('\n')).toEqual([
      'Todo: all 2 tickets are merged and proven',
      'tickets   2 merged',
      'attempts  3',
      'checks    4 runs, 6.0 s; 3 tests passed at the end',
      'proof     proven: the checks were green on every merge',
      'branch    skep/todo in /srv/my repo',
      'commits   2 merges on aaaaaaaaaaaa',
      'session   11111111',
      'time      1:05',
      '',
      'Merged',
      '  *   bbb Feature 2 (TKT-002)',
      '  |\\',
      '  * aaa Feature 1 (TKT-001)',
      '',
      'Next',
      "  git -C '/srv/my repo' log --stat skep/todo",
    ]);
  });

  it.each<[string, Partial<Outcome>, readonly string[]]>([
    [
      'unproven work',
      { proof: 'unproven', rows: [row(1, { proof: 'unproven' })], trunk: { ...trunk, checks: [] } },
      ['Todo: the ticket is merged, unproven', 'proof     unproven: there is no check'],
    ],
    [
      'a failure, with the evidence',
      {
        standing: 'failed',
        rows: [row(1), row(2, { status: 'failed', reason: 'gave up after 3 attempts' })],
        redReviews: new Map([['TKT-002', review]]),
      },
      [
        'Todo: failed, 1 of 2 tickets merged',
        '  TKT-002  Feature 2: gave up after 3 attempts',
        '           | not ok 1 [2J',
        '  skep ticket log TKT-002',
        '  skep review show 11111111',
        '  skep build --resume 11111111 --retry-failed',
      ],
    ],
    [
      'what waits for a person',
      { standing: 'waiting', rows: [row(1), row(2, { status: 'waiting' })], flagged: [flagged] },
      [
        'Todo: waits for a person, 1 of 2 tickets merged',
        '           - `a.test.js` was modified',
        '  skep change diff TKT-002',
        '  skep change approve TKT-002',
        '  skep build --resume 11111111',
      ],
    ],
    [
      'a red base',
      {
        standing: 'refused',
        rows: [row(1, { status: 'ready' })],
        proof: null,
        log: [],
        redBase: { ...review, kind: 'base', ticket_id: null },
        trunk: { ...trunk, state: 'refused', reason: 'The checks fail on the base commit', hint: 'Mend it', merge_count: 0 },
      },
      [
        'Todo: not begun',
        '  The checks fail on the base commit',
        '  npm test failed with exit code 1, 1 of 3 tests failed, 1.5 s',
        '  | expected 2',
        '  hint: Mend it',
        '  skep build --resume 11111111 --leave-out-red',
      ],
    ],
    [
      'a branch that is not in the repository',
      { standing: 'unpublished', isPublished: false, trunk: { ...trunk, published_sha: null, publish_error: 'gone' } },
      ['Todo: 2 of 2 tickets merged, and the branch is not in the repository', '  skep build --resume 11111111'],
    ],
  ])('tells of %s', (_, more, lines) => {
    const told = text(more);
    for (const line of lines) expect(told.split('\n')).toContain(line);
    expect(told).not.toContain('\u001b');
  });

  it('tells what models were asked and what that cost', () => {
    const told = text({ costs: costs({ ...calls, unpriced_calls: 1, unpriced_models: ['local/a'] }) }).split('\n');
    expect(told).toContain('model calls  1,234, 2 of them failed');
    expect(told).toContain('tokens       1,000,000 in, 3,000 from the cache, 4,000 out');
    expect(told).toContain('cost         $1.25; 1 call of local/a without a known price');
  });

  it('never lets what was recorded look as if it had been paid', () => {
    const recorded = costs({}, calls);
    const told = text({ costs: recorded, note: ' (recorded demo)' }).split('\n');
    expect(told[0]).toBe('Todo (recorded demo): all 2 tickets are merged and proven');
    for (const name of ['model calls', 'tokens', 'cost']) {
      expect(told.filter(line => line.startsWith(name))).toEqual([expect.stringMatching(/\(recorded demo: nothing was paid\)$/)]);
    }
    expect(summaryDocument(outcome({ costs: recorded }), 0, commandsOf({ checks: true }))).toMatchObject({
      recorded: true,
      model_calls: 1_234,
      costs: { calls: 0, cost_usd: '0.00' },
      recorded_costs: { calls: 1_234, cost_usd: '1.25', note: 'recorded demo: nothing was paid' },
    });
  });

  it('is bounded, however much there is', () => {
    const rows = Array.from({ length: 500 }, (_, i) => row(i, { status: 'failed', reason: 'no' }));
    const log = Array.from({ length: 2_000 }, (_, i) => `* ${i}`);
    expect(text({ standing: 'failed', rows, log }).split('\n').length).toBeLessThan(80);
  });

  it('names commands as they must be typed here', () => {
    const options = { checks: true, home: '/srv/other home', server: 'https://skep.example' };
    expect(text({ standing: 'unpublished' }, options)).toContain(
      "skep build --resume 11111111 --home '/srv/other home' --server https://skep.example",
    );
    expect(text({ repository: 'https://forge.example/a.git' })).toContain(
      'git fetch https://forge.example/a.git skep/todo:skep/todo',
    );
  });

  it('is a document for programs', () => {
    expect(summaryDocument(outcome({ standing: 'waiting', flagged: [flagged] }), 4, commandsOf({ checks: true }))).toMatchObject({
      event: 'summary',
      state: 'waiting',
      exit_code: 4,
      branch: 'skep/todo',
      published: true,
      waiting: [{ ticket_id: 'TKT-002', head_sha: sha('c') }],
      tickets: [{ id: 'TKT-001', status: 'completed' }, { id: 'TKT-002' }],
    });
  });
});
