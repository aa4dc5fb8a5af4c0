import { afterAll, beforeAll, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';

const at = '2026-01-02T03:04:05.000Z';
const sha = (letter: string) => letter.repeat(40);
const id = 'aaaa1111-2222-4333-8444-555555555555';
const review = {
  id,
  kind: 'submission',
  trunk_id: id,
  ticket_id: 'TKT-003',
  run_id: id,
  round: 2,
  state: 'needs_work',
  head_sha: sha('a'),
  base_sha: sha('b'),
  candidate_sha: sha('c'),
  checks: [
    {
      name: 'npm test',
      command: ['sh', '-c', 'npm test'],
      outcome: 'exited',
      exit_code: 1,
      duration_ms: 3_210,
      flaky: false,
      tests: { total: 12, passed: 10, failed: 2, skipped: 0 },
      output_tail: 'not ok 3\u001b[2J\n  expected 1\n',
    },
  ],
  flags: [],
  reason: 'npm test is red',
  created_at: at,
  ended_at: at,
};

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeAll(async () => {
  server = await scriptedServer(({ path }) => ({ json: path.startsWith('/api/reviews?') ? { reviews: [review] } : review }));
});
afterAll(() => server.close());
const run = (...words: string[]) => skep(['review', ...words], { env: { SKEP_SERVER: server.url } });

it('lists with how each check ended', async () => {
  const { out } = await run('list', '--ticket', '3');
  expect(out).toContain(
    'aaaa1111  TKT-003  submission      2  needs_work  cccccccccccc  npm test failed with exit code 1, 2 of 12 tests failed, 3.2 s\n',
  );
  expect(server.calls.at(-1)?.path).toContain('ticket_id=TKT-003');
});

it('shows the evidence, and nothing that would steer a terminal', async () => {
  const { out } = await run('show', 'aaaa');
  expect(out).toContain(
    'npm test failed with exit code 1, 2 of 12 tests failed, 3.2 s\n  $ npm test\n  | not ok 3 [2J\n  |   expected 1\n',
  );
  expect(JSON.parse((await run('show', 'aaaa', '--json')).out)).toEqual(review);
});
