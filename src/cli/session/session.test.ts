import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import { plainProject } from '../../../test/harness/plain-project.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';

const at = '2026-01-02T03:04:05.000Z';
const ids = [
  'aaaa1111-2222-4333-8444-555555555555',
  'aaaa2222-2222-4333-8444-555555555555',
  'bbbb1111-2222-4333-8444-555555555555',
];
const specId = 'cccc1111-2222-4333-8444-555555555555';
const projectId = 'dddd1111-2222-4333-8444-555555555555';
const session = (id: string, state = 'approved') => ({
  id,
  project_id: projectId,
  spec_id: specId,
  epic_id: null,
  description: 'A todo app',
  state,
  progress: 0,
  created_at: at,
  updated_at: at,
});
const card = {
  name: 'Todo',
  description: '',
  features: [{ title: 'List', description: '', acceptance_criteria: [] }],
  technical_requirements: [],
};
const spec = {
  id: specId,
  session_id: ids[2],
  project_id: projectId,
  version: 1,
  name: 'Todo',
  status: 'draft',
  phase: 'EXPLORE',
  card,
  on_result_found: 'stop_all',
  created_at: at,
  updated_at: at,
};
const started = { success: true, state: 'building', epic_id: 'TKT-001', ticket_count: 2, message: 'Started' };

let project: object | undefined;
function answer({ method, path }: Call): Answer {
  if (path === '/api/hitl')
    return { json: method === 'GET' ? { sessions: ids.map(id => session(id)) } : session(ids[2] ?? '', 'reviewing') };
  if (path.endsWith('/start-build')) return { json: started };
  if (path.endsWith('/generate-spec')) return { json: { session: session(ids[2] ?? '', 'reviewing'), spec } };
  if (path.endsWith('/messages'))
    return { json: { messages: [{ number: 1, author: 'ann', text: 'hi\u001b[2J\nyou', created_at: at }] } };
  if (path.startsWith('/api/specs/')) return { json: spec };
  if (path.startsWith('/api/projects'))
    return { json: method === 'GET' ? { projects: project === undefined ? [] : [project] } : { ...plain } };
  return { json: session(ids[2] ?? '') };
}
const plain = plainProject({ id: projectId, name: 'demo' });

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeEach(async () => {
  project = undefined;
  server = await scriptedServer(answer);
});
afterEach(() => server.close());

const here = () => ({ env: { SKEP_SERVER: server.url }, cwd: mkdtempSync(join(tmpdir(), 'skep-cli-')) });
const sent = () => server.calls.filter(({ method }) => method !== 'GET').map(({ method, path, body }) => [method, path, body]);

describe('an id', () => {
  it('may be shortened to what only one begins with', async () => {
    const { code, out } = await skep(['session', 'approve', 'BBBB'], here());
    expect(code).toBe(0);
    expect(sent()).toEqual([['POST', `/api/hitl/${ids[2]}/approve`, {}]]);
    expect(out).toContain('next         skep session start-build bbbb1111');
  });

  it.each([
    ['aaaa', 2, 'aaaa is the beginning of 2 sessions'],
    ['aaa', 2, "'aaa' is too short for an id\n  hint: Give at least its first 4 characters"],
    ['eeee', 3, 'No session begins with eeee\n  hint: See: skep session list'],
    ['todo', 2, "'todo' is no id of a session"],
  ])('%s: exit code %i', async (id, exit, why) => {
    const { code, err } = await skep(['session', 'show', id], here());
    expect(code).toBe(exit);
    expect(err).toContain(why);
  });

  it('is not looked up when it is whole', async () => {
    await skep(['session', 'cancel', ids[0] ?? ''], here());
    expect(server.calls.map(({ path }) => path)).toEqual([`/api/hitl/${ids[0]}/cancel`]);
  });
});

describe('skep session start-build', () => {
  it('asks on a terminal and starts after yes', async () => {
    const { code, questions, out } = await skep(['session', 'start-build', 'bbbb'], { ...here(), isTerminal: true, answer: 'y' });
    expect(questions).toEqual(["Build 'Todo' with 1 feature? [y/N] "]);
    expect(code).toBe(0);
    expect(sent()).toEqual([['POST', `/api/hitl/${ids[2]}/start-build`, { confirmed: true }]]);
    expect(out).toContain('Started');
  });

  it.each(['', 'n', 'yellow'])('starts nothing after %j', async answer => {
    const { code } = await skep(['session', 'start-build', 'bbbb'], { ...here(), isTerminal: true, answer });
    expect(code).toBe(2);
    expect(sent()).toEqual([]);
  });

  it('refuses where nobody can be asked, and takes --yes', async () => {
    const { code, err } = await skep(['session', 'start-build', 'bbbb'], here());
    expect(code).toBe(2);
    expect(err).toContain('there is no terminal to ask on\n  hint: Add --yes');
    expect(sent()).toEqual([]);
    const { out } = await skep(['session', 'start-build', 'bbbb', '--yes', '--json'], here());
    expect(JSON.parse(out)).toEqual(started);
  });
});

describe('skep session create', () => {
  const words = ['session', 'create', '--project', 'demo', '--description', 'A todo app'];

  it('hands in the card of the same line', async () => {
    const around = here();
    writeFileSync(join(around.cwd, 'card.json'), JSON.stringify({ name: 'Todo', features: [{ title: 'List' }] }));
    const { code, out } = await skep([...words, '--card', 'card.json'], around);
    expect(code).toBe(0);
    expect(sent()).toEqual([
      [
        'POST',
        '/api/hitl',
        { project_name: 'demo', description: 'A todo app', spec_card: { name: 'Todo', features: [{ title: 'List' }] } },
      ],
    ]);
    expect(out).toMatch(/^state +reviewing$/m);
  });

  it('opens nothing when the card is wrong', async () => {
    const around = here();
    writeFileSync(join(around.cwd, 'card.json'), '{}');
    expect((await skep([...words, '--card', 'card.json'], around)).code).toBe(2);
    expect(server.calls).toEqual([]);
  });

  it('makes the project with the repository, and refuses to change one that has another', async () => {
    const url = 'https://forge.example/a.git';
    expect((await skep([...words, '--repository', url], here())).code).toBe(0);
    expect(sent()[0]).toEqual(['POST', '/api/projects', { name: 'demo', repository: url }]);
    project = { ...plain, repository: 'https://forge.example/b.git' };
    const { code, err } = await skep([...words, '--repository', url], here());
    expect(code).toBe(4);
    expect(err).toContain('has another repository: https://forge.example/b.git');
  });

  it('says which option is missing', async () => {
    const { code, err } = await skep(['session', 'create', '--project', 'demo'], here());
    expect(code).toBe(2);
    expect(err).toContain("required option '--description <text>' not specified");
  });
});

describe('the other steps', () => {
  it('send their text', async () => {
    await skep(['session', 'respond', 'bbbb', 'Yes, please'], here());
    await skep(['session', 'respond', 'bbbb', '--', '--dark'], here());
    await skep(['session', 'reject', 'bbbb', '--reason', 'No API'], here());
    expect(sent()).toEqual([
      ['POST', `/api/hitl/${ids[2]}/respond`, { message: 'Yes, please' }],
      ['POST', `/api/hitl/${ids[2]}/respond`, { message: '--dark' }],
      ['POST', `/api/hitl/${ids[2]}/reject`, { reason: 'No API' }],
    ]);
    expect((await skep(['session', 'reject', 'bbbb'], here())).code).toBe(2);
  });

  it('messages are shown without what would steer a terminal', async () => {
    const { out } = await skep(['session', 'messages', 'bbbb'], here());
    expect(out).toBe(`ann  ${at}\nhi [2J\nyou\n\n`);
  });

  it('show prints the card', async () => {
    const { out } = await skep(['session', 'show', 'bbbb'], here());
    expect(out).toContain('Todo (card 1, draft)\n  1. List\n');
  });
});
