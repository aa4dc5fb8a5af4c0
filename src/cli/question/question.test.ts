import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';

const at = '2026-01-02T03:04:05.000Z';
const id = 'aaaa1111-2222-4333-8444-555555555555';
const pending = {
  id,
  kind: 'budget',
  state: 'pending',
  subject_type: 'budget',
  subject_id: id,
  project_id: null,
  ticket_id: 'TKT-003',
  run_id: null,
  spec_id: null,
  text: 'The budget of project Todo is spent:\u001b[2J\n$0.50 of $0.50',
  options: [
    { id: 'raise:1.00', label: 'Raise the cap' },
    { id: 'stop', label: 'stop' },
  ],
  default_answer: null,
  answer: null,
  answered_by: null,
  due_at: null,
  created_at: at,
  decided_at: null,
};
const answered = { ...pending, state: 'answered', answer: 'raise:5.00', answered_by: 'token:1', decided_at: at };

function answer({ method, path }: Call): Answer {
  if (path.startsWith('/api/questions?')) return { json: { questions: [pending] } };
  return { json: method === 'POST' ? answered : pending };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeAll(async () => {
  server = await scriptedServer(answer);
});
beforeEach(() => void server.calls.splice(0));
afterAll(() => server.close());
const run = (...words: string[]) => skep(['question', ...words], { env: { SKEP_SERVER: server.url } });

it('lists what waits for a person as such, on one line each', async () => {
  const { out } = await run('list', '--waiting', '--ticket', '3');
  expect(out).toContain(
    'aaaa1111  budget  waits for you  TKT-003  -      The budget of project Todo is spent: [2J $0.50 of $0.50\n',
  );
  expect(server.calls[0]?.path).toContain('state=pending&ticket_id=TKT-003');
});

it('shows a question with its options, and how it is answered', async () => {
  const { out } = await run('show', 'aaaa');
  expect(out).toContain('raise:1.00  Raise the cap\n');
  expect(out).toContain('next  skep question answer aaaa1111 ANSWER');
  expect(out).not.toContain('\u001b');
  expect(JSON.parse((await run('show', id, '--json')).out)).toEqual(pending);
});

it('sends the answer, also of several words', async () => {
  const { out, code } = await run('answer', 'aaaa', 'raise:5.00');
  expect([code, out.includes('answered')]).toEqual([0, true]);
  await run('answer', id, 'use', 'the', 'other', 'one');
  expect(server.calls.filter(({ method }) => method === 'POST').map(({ path, body }) => [path, body])).toEqual([
    [`/api/questions/${id}/answer`, { answer: 'raise:5.00' }],
    [`/api/questions/${id}/answer`, { answer: 'use the other one' }],
  ]);
  expect((await run('answer', id)).code).toBe(2);
});
