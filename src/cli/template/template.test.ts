import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, type Call, scriptedServer, skep } from '../../../test/harness/cli.ts';
import { plainProject } from '../../../test/harness/plain-project.ts';

const project = plainProject({ id: 'dddd0000-2222-4333-8444-555555555555', name: 'Todo' });
const source = '# a note\r\nname: careful';
const template = {
  ...{ id: 'careful@2', name: 'careful', version: 2, description: 'slow\u001b[2J', lineage: ['base@1'], fallback: ['quick'] },
  ...{ agent: { kind: 'codex', model: 'o/m', timeout_ms: 60_000 }, prompt: 'p', limits: { cpu_count: 1 }, tools: ['ask_human'] },
  created_at: '2026-01-02T03:04:05.000Z',
};
const router = { routes: [{ types: ['bug', 'task'], template: 'careful@2' }], default: 'quick' };

function answer({ method, path }: Call): Answer {
  const { pathname } = new URL(path, 'http://server');
  if (pathname.startsWith('/api/projects')) return { json: method === 'GET' ? { projects: [project] } : { ...project, router } };
  if (pathname === '/api/router') return { json: { router } };
  if (method === 'POST') return { json: { templates: [{ id: 'careful@2', name: 'careful', version: 2, is_new: false }] } };
  if (pathname === '/api/templates' || pathname.endsWith('/versions')) return { json: { templates: [template] } };
  return { json: method === 'DELETE' ? template : { ...template, source, used_by: ['project Todo'] } };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
const cwd = mkdtempSync(join(tmpdir(), 'skep-template-'));
beforeAll(async () => {
  server = await scriptedServer(answer);
});
beforeEach(() => void server.calls.splice(0));
afterAll(async () => {
  await server.close();
  rmSync(cwd, { recursive: true, force: true });
});

const run = (words: readonly string[], stdin = '') => skep(words, { cwd, stdin, env: { SKEP_SERVER: server.url } });
const sent = (method: string) => server.calls.filter(call => call.method === method).map(({ path, body }) => [path, body]);

describe('skep template', () => {
  it('put and import send the bytes as they are, and say what is new', async () => {
    writeFileSync(join(cwd, 'a.yaml'), `\u{feff}${source}`);
    expect(await run(['template', 'import', 'a.yaml', '-'], source)).toMatchObject({ code: 0, out: 'careful@2  unchanged\n' });
    const documents = [
      { file: 'a.yaml', source: `\u{feff}${source}` },
      { file: 'stdin', source },
    ];
    expect(sent('POST')).toEqual([['/api/templates', { documents }]]);
  });

  it('put leaves it to the server to count characters, of which one may be several bytes', async () => {
    const long = '蜂'.repeat(65_536);
    expect(await run(['template', 'put', '-'], long)).toMatchObject({ code: 0 });
    expect(sent('POST')).toEqual([['/api/templates', { documents: [{ file: 'stdin', source: long }] }]]);
  });

  it.each([
    [['put', 'none.yaml'], 'none.yaml does not exist'],
    [['put', 'large.yaml'], 'large.yaml has 1048576 bytes; it may have at most 262144'],
    [['put', 'binary.yaml'], 'binary.yaml is not text in UTF-8'],
    [['show', 'Care ful'], "'Care ful' is no name of a template"],
    [['remove', 'careful@2'], 'leave @ out'],
    [['history', '../x'], 'is no name of a template'],
    [['route', '--route', 'bug'], "'bug' is no route"],
    [['route', '--route', 'epic=careful'], "'epic' is no type of a ticket"],
    [['route', '--route', 'bug=careful', '--route', 'task,bug=quick'], 'bug has two templates'],
    [['route', '--route', 'bug=careful', '--no-router'], 'Give --no-router, or'],
    [['route', '--default-template', 'A'], "'A' is no name of a template"],
  ])('%j is refused, and nothing is sent', async (words, says) => {
    writeFileSync(join(cwd, 'large.yaml'), 'x'.repeat(1_048_576));
    writeFileSync(join(cwd, 'binary.yaml'), Buffer.from([0xff, 0xfe]));
    const { code, err } = await run(['template', ...words]);
    expect([code, err]).toEqual([2, expect.stringContaining(says)]);
    expect(server.calls).toEqual([]);
  });

  it('shows all of it, and nothing that moves the terminal', async () => {
    const { out } = await run(['template', 'show', 'careful@2']);
    expect(server.calls[0]?.path).toBe('/api/templates/careful?version=2');
    for (const text of ['careful@2', 'base@1', 'codex with o/m', '60 s', 'cpu_count 1', 'quick', 'ask_human', 'project Todo'])
      expect(out).toContain(text);
    expect(out).not.toContain('\u001b[2J');
    expect((await run(['template', 'list'])).out).toContain('careful@2');
    expect((await run(['template', 'history', 'careful'])).out).toContain('base@1');
    expect((await run(['template', 'remove', 'careful'])).out).toContain('removed\n');
  });

  it('exports the bytes, or the whole without what it extends', async () => {
    expect((await run(['template', 'export', 'careful'])).out).toBe(source);
    const flat = (await run(['template', 'export', 'careful', '--flat'])).out;
    expect(flat).not.toContain('extends');
    for (const text of ['kind: codex', 'timeout_ms: 60000', 'prompt: p', 'cpu_count: 1', '- quick', '- ask_human'])
      expect(flat).toContain(text);
  });

  it('prints a schema for an editor, without a server', async () => {
    const { code, out } = await skep(['template', 'schema']);
    expect(code).toBe(0);
    const schema = JSON.parse(out) as { properties: Record<string, unknown>; required: string[]; additionalProperties: boolean };
    expect(Object.keys(schema.properties)).toEqual([
      'name',
      'description',
      'extends',
      'agent',
      'prompt',
      'tools',
      'limits',
      'fallback',
    ]);
    expect([schema.required, schema.additionalProperties]).toEqual([['name'], false]);
  });

  it('routes of a project and of all', async () => {
    const words = ['--route', 'bug,task=careful@2', '--default-template', 'quick'];
    const { out } = await run(['project', 'set', 'Todo', ...words]);
    expect(out).toContain('bug, task: careful@2');
    expect(out).toContain('all else: quick');
    expect(sent('PATCH')).toEqual([[`/api/projects/${project.id}`, { router }]]);
    await run(['project', 'set', 'Todo', '--no-router']);
    expect(sent('PATCH')[1]?.[1]).toEqual({ router: null });
    await run(['template', 'route', ...words]);
    expect(sent('PUT')).toEqual([['/api/router', { router }]]);
    expect((await run(['template', 'route'])).out).toContain('all else: quick');
  });
});
