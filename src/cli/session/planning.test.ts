import { afterEach, beforeEach, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';
import { clarified, designed, required, tasked } from '../../../test/harness/plans.ts';

const at = '2026-01-02T03:04:05.000Z';
const id = 'aaaa1111-2222-4333-8444-555555555555';
const specId = 'cccc1111-2222-4333-8444-555555555555';
const { summary, requirements, technical_requirements } = required();

/** What the server shows; a test changes it. */
let session: object;
let spec: object;

function answer({ path }: Call): Answer {
  if (path === '/api/hitl') return { json: { sessions: [session] } };
  if (path.endsWith('/generate-spec')) return { json: { session, spec: null } };
  if (path.endsWith('/messages')) {
    const { questions } = clarified('Dark?');
    return { json: { messages: [{ number: 2, author: 'clarifier', text: 'Q1  Dark?', questions, created_at: at }] } };
  }
  if (path.startsWith('/api/specs/')) return { json: spec };
  return { json: session };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeEach(async () => {
  session = {
    ...{ id, project_id: specId, spec_id: specId, epic_id: null, description: 'A list', state: 'clarifying', progress: 20 },
    ...{ planning: { state: 'working', phase: 'DESIGN', reason: null }, waiting_for: null, created_at: at, updated_at: at },
  };
  spec = {
    ...{
      id: specId,
      session_id: id,
      project_id: specId,
      version: 1,
      name: 'A list',
      status: 'executing_planning',
      phase: 'DESIGN',
    },
    ...{ card: null, plan: null, on_result_found: 'stop_all', created_at: at, updated_at: at },
  };
  server = await scriptedServer(answer);
});
afterEach(() => server.close());

const run = (...argv: string[]) => skep(['session', ...argv], { env: { SKEP_SERVER: server.url }, cwd: '/' });

it('show says how far planning is, before there is a card', async () => {
  const { out, code } = await run('show', 'aaaa');
  expect(code).toBe(0);
  expect(out).toMatch(/planning +DESIGN, working\n/);
  expect(out).toContain('A list (card 1, executing_planning)');
  expect(out).not.toMatch(/^next/m);
});

it('show says that a person is asked, or why it has stopped, and what to type', async () => {
  session = { ...session, planning: { state: 'asking', phase: 'CLARIFY', reason: null }, waiting_for: 'answers' };
  const asked = await run('show', 'aaaa');
  expect(asked.out).toMatch(/waits for +your answers\n/);
  expect(asked.out).toMatch(/next +skep session messages aaaa1111, then skep session respond aaaa1111 TEXT/);
  session = { ...session, planning: { state: 'stopped', phase: 'TASKS', reason: 'no such\u001b[2J model' }, waiting_for: null };
  const stopped = await run('show', 'aaaa');
  expect(stopped.out).toMatch(/planning +TASKS, stopped: no such \[2J model\n/);
  expect(stopped.out).toMatch(/next +skep session generate aaaa1111/);
});

it('show prints the plan: requirements, design, and tasks with what they serve', async () => {
  session = {
    ...session,
    state: 'reviewing',
    planning: { state: 'done', phase: 'TASKS', reason: null },
    waiting_for: 'approval',
  };
  const plan = { summary, requirements, technical_requirements, design: designed(), tasks: tasked().tasks };
  spec = {
    ...spec,
    card: {
      name: 'Todo list',
      description: '',
      features: [{ title: 'Task 1', description: '', acceptance_criteria: [] }],
      technical_requirements: [],
    },
    plan,
  };
  const { out } = await run('show', 'aaaa');
  expect(out).toMatch(/waits for +your approval\n/);
  expect(out).toContain('requirements\n  R1   WHEN thing 1 happens, THE SYSTEM SHALL react\n');
  expect(out).toContain('design\n  One file, two functions.\n');
  expect(out).toContain('tasks\n  T1   Task 1 (serves R1)\n  T2   Task 2 (serves R2, after T1)');
});

it('generate asks for the spec', async () => {
  const { code } = await run('generate', 'aaaa');
  expect(code).toBe(0);
  expect(server.calls.at(-1)).toMatchObject({ method: 'POST', path: `/api/hitl/${id}/generate-spec`, body: {} });
});

it('messages show what is asked; for programs with its structure', async () => {
  expect((await run('messages', 'aaaa')).out).toContain('clarifier');
  const { out } = await run('messages', 'aaaa', '--json');
  expect(JSON.parse(out)).toMatchObject({ questions: [{ id: 'Q1', text: 'Dark?', options: ['yes', 'no'], default: 'no' }] });
});
