import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';

const at = '2026-01-02T03:04:05.000Z';
const uuid = (start: string) => `${start}-2222-4333-8444-555555555555`;
const [sessionId, specId] = [uuid('aaaa1111'), uuid('bbbb1111')];
const session = {
  id: sessionId,
  project_id: uuid('cccc1111'),
  spec_id: specId,
  epic_id: null,
  description: 'Todo',
  state: 'building',
  progress: 90,
  created_at: at,
  updated_at: at,
};
const check = { name: 'npm test', outcome: 'exited', exit_code: 0, duration_ms: 1_200, tests: null, flaky: false };
const result = (start: string, version: number, state: string) => ({
  id: uuid(start),
  spec_id: specId,
  version,
  state,
  proof: 'proven',
  summary: '1 of 1 tickets completed',
  evidence: {
    branch: 'skep/todo',
    base_sha: 'a'.repeat(40),
    head_sha: 'b'.repeat(40),
    tickets: [
      {
        ticket_id: 'TKT-002',
        title: 'List',
        criteria: [],
        proof: 'proven',
        merge_sha: 'b'.repeat(40),
        review_id: null,
        checks: [check],
      },
    ],
  },
  criteria: ['it lists'],
  submitted_by: 'skep',
  reason: null,
  created_at: at,
  decided_at: null,
});
const results = [result('dddd1111', 1, 'rejected'), result('dddd2222', 2, 'submitted')];

function answer({ method, path }: Call): Answer {
  if (method === 'POST') return { json: results[1] };
  if (path.endsWith('/results')) return { json: { results } };
  return { json: path === '/api/hitl' ? { sessions: [session] } : session };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeAll(async () => {
  server = await scriptedServer(answer);
});
beforeEach(() => void server.calls.splice(0));
afterAll(() => server.close());
const run = (...words: string[]) => skep(['result', ...words], { env: { SKEP_SERVER: server.url } });
const sent = () => server.calls.filter(({ method }) => method === 'POST').map(({ path, body }) => [path, body]);

it('lists those of a session', async () => {
  const { out } = await run('list', '--session', 'aaaa');
  expect(out).toMatch(/^dddd2222 +2 +submitted +proven +skep/m);
});

it('shows the newest, ticket by ticket, or the one that was named', async () => {
  const { out } = await run('show', '--session', 'aaaa');
  expect(out).toMatch(/^version +2$/m);
  expect(out).toContain('TKT-002  bbbbbbbbbbbb  proven  List\n         npm test passed, 1.2 s\n');
  expect((await run('show', 'dddd1')).out).toMatch(/^version +1$/m);
});

it.each([
  [['show', 'dddd'], 2, 'dddd is the beginning of 2 results'],
  [['show', 'eeee'], 3, 'No result begins with eeee'],
  [['show', 'x'], 2, "'x' is no id of a result"],
  [['show'], 2, 'Give either --session or --spec'],
])('%j: exit code %i', async (words, exit, why) => {
  const { code, err } = await run(...words);
  expect(code).toBe(exit);
  expect(err).toContain(why);
});

it('submits, accepts and rejects', async () => {
  await run('submit', '--session', 'aaaa', '--summary', 'Good');
  await run('validate', 'dddd2');
  await run('validate', 'dddd2', '--reject', 'The API is missing');
  const path = `/api/results/${uuid('dddd2222')}/validate`;
  expect(sent()).toEqual([
    [`/api/specs/${specId}/results`, { summary: 'Good' }],
    [path, { valid: true }],
    [path, { valid: false, reason: 'The API is missing' }],
  ]);
});
