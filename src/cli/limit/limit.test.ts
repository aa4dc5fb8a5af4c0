import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, type Call, scriptedServer, skep } from '../../../test/harness/cli.ts';
import { plainProject } from '../../../test/harness/plain-project.ts';

const at = '2026-01-02T03:04:05.000Z';
const id = 'dddd0000-2222-4333-8444-555555555555';
const limit = (scope: string, scope_id: string) => ({
  scope,
  scope_id,
  runs_max: 4,
  runs_held: 2,
  created_at: at,
  updated_at: at,
});
const project = plainProject({ id, name: 'Todo\u001b[2J' });
const pulled = { state: 'on', reason: 'storm\u001b[2J', pulled_by: 'storm', pulled_at: at, due_at: null, pulls: 2 };
const off = { state: 'off', reason: 'past', pulled_by: 'storm', pulled_at: at, due_at: null, pulls: 0 };

function answer({ method, path }: Call): Answer {
  const { pathname, searchParams } = new URL(path, 'http://server');
  const name = searchParams.get('name');
  if (pathname === '/api/projects')
    return { json: { projects: name === null || name === 'Todo' ? [{ ...project, name: name ?? project.name }] : [] } };
  if (pathname === '/api/brake/lift') return { json: off };
  if (pathname.startsWith('/api/brake')) return { json: pulled };
  if (method === 'GET') return { json: { limits: [limit('tenant', ''), limit('project', id), limit('worker', 'build-1')] } };
  return { json: limit('project', id) };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeAll(async () => {
  server = await scriptedServer(answer);
});
beforeEach(() => void server.calls.splice(0));
afterAll(() => server.close());

const run = (words: readonly string[]) => skep(words, { env: { SKEP_SERVER: server.url } });
const sent = (method: string) => server.calls.filter(call => call.method === method).map(({ path, body }) => [path, body]);
const lines = (text: string) => text.split('\n').map(line => line.trimEnd());

describe('skep limit', () => {
  it.each([
    [['--tenant', '--runs', '20'], { scope: 'tenant', scope_id: '', runs_max: 20 }],
    [['--project', 'Todo', '--runs', '0'], { scope: 'project', scope_id: id, runs_max: 0 }],
    [['--agent', 'codex', '--runs', '2'], { scope: 'agent', scope_id: 'codex', runs_max: 2 }],
    [['--worker', 'build-1', '--runs', '1'], { scope: 'worker', scope_id: 'build-1', runs_max: 1 }],
  ])('set %j', async (words, body) => {
    expect(await run(['limit', 'set', ...words])).toMatchObject({ code: 0 });
    expect(sent('PUT')).toEqual([['/api/limits', body]]);
  });

  it.each([
    [['set', '--runs', '5'], 2, 'Give one of --tenant, --project, --agent and --worker'],
    [['set', '--tenant', '--agent', 'codex', '--runs', '5'], 2, 'Give one of'],
    [['set', '--tenant', '--runs', '1.5'], 2, 'is not a whole number'],
    [['set', '--tenant', '--runs', '-1'], 2, 'is not a whole number'],
    [['set', '--tenant'], 2, '--runs'],
    [['set', '--project', 'Nothing', '--runs', '5'], 3, "There is no project 'Nothing'"],
    [['remove'], 2, 'Give one of'],
  ])('%j is refused, and nothing is sent', async (words, code, says) => {
    const answered = await run(['limit', ...words]);
    expect([answered.code, answered.err, sent('PUT'), sent('DELETE')]).toEqual([code, expect.stringContaining(says), [], []]);
  });

  it('list shows what each is of, by name, without what would steer the terminal; remove takes one away', async () => {
    const { out } = await run(['limit', 'list']);
    expect(lines(out)).toEqual([
      'FOR               RUNS  HELD',
      'everything           4  2',
      'project Todo [2J     4  2',
      'worker build-1       4  2',
      '',
    ]);
    expect((await run(['limit', 'remove', '--project', 'Todo'])).code).toBe(0);
    expect(sent('DELETE')).toEqual([[`/api/limits?scope=project&scope_id=${id}`, undefined]]);
  });
});

describe('skep brake', () => {
  it('says why it is on and how to lift it, and no more than that it is off', async () => {
    const { out } = await run(['brake', 'show']);
    expect(lines(out)).toEqual([
      'brake      on: nothing is claimed; what runs goes on',
      'reason     storm [2J',
      'pulled by  storm',
      `pulled at  ${at}`,
      'in a row   2',
      'tried at   when you lift it: skep brake lift',
      '',
    ]);
    expect(lines((await run(['brake', 'lift'])).out)).toEqual(['brake  off: runs are claimed', '']);
  });

  it('is pulled with a reason or without', async () => {
    await run(['brake', 'pull']);
    await run(['brake', 'pull', '--reason', 'the machines move']);
    expect(sent('POST')).toEqual([
      ['/api/brake/pull', {}],
      ['/api/brake/pull', { reason: 'the machines move' }],
    ]);
  });
});
