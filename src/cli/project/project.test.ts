import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import { plainProject } from '../../../test/harness/plain-project.ts';
import type { Call } from '../../../test/harness/cli.ts';
import { acpAgent, acpRows } from './acp.ts';

const demo = {
  ...plainProject({ id: '11111111-2222-4333-8444-555555555555', name: 'demo' }),
  agent: { kind: 'exec', command: ['node', 'agent.js'], timeout_ms: 60_000 },
};

const check = (line: string) => ({ name: line, command: ['sh', '-c', line] });

function answer({ method, body }: Call) {
  if (method === 'GET') return { json: { projects: [demo] } };
  return { json: { ...demo, ...(body as object) } };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeAll(async () => {
  server = await scriptedServer(answer);
});
beforeEach(() => void server.calls.splice(0));
afterAll(() => server.close());

const at1 = (cwd: string) => ({ cwd, env: { SKEP_SERVER: server.url } });
const folder = () => realpathSync(mkdtempSync(join(tmpdir(), 'skep-cli-')));
function repository(): string {
  const path = folder();
  execFileSync('git', ['init', '--quiet', path]);
  return path;
}

const acp = ['--agent', 'acp', '--model', 'a/b'];
const acpRefusals: readonly (readonly [words: readonly string[], why: string])[] = [
  [['--env', 'A'], "--env: 'A' is not of the form NAME=VALUE"],
  [['--env', 'A=1', '--env', 'A=2'], '--env: A stands twice'],
  [['--env', 'A-B=1'], '--env A-B: a variable is named with letters, digits and _'],
  [['--env', 'SKEP_MODEL=x'], '--env SKEP_MODEL: what begins with SKEP_ is said by Skep itself'],
  [['--env', 'HOME=/x'], '--env HOME: is the same for every program'],
  [['--env', 'MISTRAL_API_KEY=s3cret'], '--env MISTRAL_API_KEY: looks like a key'],
  [['--env', 'GITHUB_PAT=s3cret'], '--env GITHUB_PAT: looks like a key'],
  [['--env', 'authToken=s3cret'], '--env authToken: looks like a key'],
  [['--env', `A=${'x'.repeat(4_001)}`], '--env A: '],
  [['--home-file', '/etc/x=1'], '--home-file /etc/x: give the path of a file in its HOME'],
  [['--home-file', 'a/../b=1'], '--home-file a/../b: give the path of a file in its HOME'],
  [['--home-file', 'a=1', '--home-file', 'a/b=1'], '--home-file a: cannot be a file, since a/b lies below it'],
  [['--home-file', `a=${'x'.repeat(16_385)}`], '--home-file a: '],
  [
    ['a', 'b', 'c'].flatMap(name => ['--home-file', `${name}=${'x'.repeat(11_000)}`]),
    '--home-file: all of them together have more than',
  ],
  [Array.from({ length: 21 }, (_, i) => ['--home-file', `f${i}=x`]).flat(), '--home-file: there are more than 20'],
  [['--conversations', '../x'], '--conversations: give the path of a folder in its HOME'],
  [['--home-file', '.a/talks/x=1', '--conversations', '.a/talks'], '--conversations: .a/talks/x of home lies in its way'],
];

describe('skep project create', () => {
  it("takes what follows -- as the agent's program and arguments, options and spaces and all", async () => {
    const cwd = repository();
    const words = [
      'project',
      'create',
      'demo',
      '--repository',
      '.',
      '--timeout',
      '600',
      '--',
      'node',
      'a b.js',
      '--json',
      '$HOME',
    ];
    const { code, out } = await skep(words, at1(cwd));
    expect(code).toBe(0);
    expect(server.calls).toEqual([
      {
        method: 'POST',
        path: '/api/projects',
        token: undefined,
        body: {
          name: 'demo',
          repository: cwd,
          agent: { kind: 'exec', command: ['node', 'a b.js', '--json', '$HOME'], timeout_ms: 600_000 },
        },
      },
    ]);
    expect(out).toMatch(/^agent +exec: node "a b\.js" --json "\$HOME"$/m);
  });

  it('makes one whose work a plain model does', async () => {
    const words = ['--model', 'a/b', '--output', 'docs/notes.md', '--prompt', 'Short.', '--file', '*.md', '--file', 'src/**'];
    await skep(['project', 'create', 'demo', '--agent', 'model', ...words], at1('/'));
    const agent = { kind: 'model', model: 'a/b', output: 'docs/notes.md', prompt: 'Short.', files: ['*.md', 'src/**'] };
    expect(server.calls[0]?.body).toEqual({ name: 'demo', agent });
  });

  it('makes one whose work an endpoint does', async () => {
    await skep(['project', 'create', 'demo', '--agent', 'http', '--url', 'https://x.test/work?a=b', '--timeout', '60'], at1('/'));
    const agent = { kind: 'http', url: 'https://x.test/work?a=b', timeout_ms: 60_000 };
    expect(server.calls[0]?.body).toEqual({ name: 'demo', agent });
  });

  it('makes one whose agent speaks ACP, with its variables, files and folder', async () => {
    const own = [
      '--env',
      'MODE=a=b',
      '--env',
      'A_KEY=${SKEP_RUN_TOKEN}',
      '--home-file',
      '.a/s.json={\n}',
      '--conversations',
      '.a/talks',
    ];
    await skep(['project', 'create', 'demo', '--agent', 'acp', '--model', 'a/b', ...own, '--', './agent'], at1('/'));
    const agent = { kind: 'acp', command: ['./agent'], model: 'a/b', env: { MODE: 'a=b', A_KEY: '${SKEP_RUN_TOKEN}' } };
    expect(server.calls[0]?.body).toEqual({
      name: 'demo',
      agent: { ...agent, home: { '.a/s.json': '{\n}' }, conversations: '.a/talks' },
    });
  });

  it('takes --name instead of the argument', async () => {
    await skep(['project', 'create', '--name', 'demo', '--', 'true'], at1(folder()));
    expect(server.calls[0]?.body).toEqual({ name: 'demo', agent: { kind: 'exec', command: ['true'] } });
  });

  it.each([
    [['demo', 'node', 'agent.js'], "'node' is one word too many"],
    [[], 'The name of the project is missing'],
    [['demo', '--timeout', '5'], '--timeout is for an agent'],
    [['demo', '--model', 'a/b'], '--model is for an agent, and none is given'],
    [['demo', '--agent', 'codex'], 'codex needs a model\n  hint: Such as: --model anthropic'],
    [['demo', '--agent', 'codex', '--model', 'a/b', '--', 'node'], 'codex brings its own program'],
    [['demo', '--agent', 'pi', '--model', '-x y'], "'-x y' is no name of a model"],
    [['demo', '--agent', 'exec', '--model', 'a/b'], 'The command of the agent is missing'],
    [
      ['demo', '--agent', 'aider', '--model', 'a/b'],
      'Allowed choices are exec, acp, claude, codex, gemini, opencode, pi, qwen, model, http',
    ],
    ...acpRefusals.map(([words, why]): [string[], string] => [['demo', ...acp, ...words, '--', './a'], why]),
    [['demo', '--agent', 'exec', '--env', 'A=b', '--', 'a'], '--env is for --agent acp, and the agent is exec'],
    [['demo', '--agent', 'http'], '--agent http needs --url'],
    [['demo', '--agent', 'http', '--url', 'ftp://x/y'], "--url: 'ftp://x/y': give a URL that starts with http"],
    [['demo', '--agent', 'http', '--url', 'https://me:secret@x/y'], 'the URL has no user, no password'],
    [['demo', '--agent', 'http', '--url', 'https://x/y', '--model', 'a/b'], 'http has no model'],
    [['demo', '--agent', 'exec', '--url', 'https://x/y', '--', 'a'], '--url is for --agent http'],
    [['demo', '--agent', 'model', '--model', 'a/b'], '--agent model needs --output'],
    [['demo', '--agent', 'model', '--output', 'a.md'], '--agent model needs --model'],
    [['demo', '--agent', 'model', '--model', 'a/b', '--output', '../a'], "--output: '../a': give the path of a file in"],
    [['demo', '--agent', 'model', '--model', 'a/b', '--output', '.git/config'], "--output: '.git/config': give"],
    [['demo', '--agent', 'model', '--model', 'a/b', '--output', 'a', '--file', 'b', '--file', '/c'], "--file: '/c': give a path"],
    [['demo', '--agent', 'codex', '--model', 'a/b', '--output', 'a'], '--output is for --agent model, and the agent is codex'],
    [['demo', '--prompt', 'a'], '--prompt is for --agent model'],
    [['demo', '--timeout', 'long'], "'long' is not a whole number"],
    [['demo', '--repository', 'git@forge.example:a/b.git'], 'is not a URL\n  hint: Write it as ssh://git@forge.example/a/b.git'],
    [['demo', '--repository', 'nowhere'], 'nowhere does not exist'],
    [['demo', '--repository', ' '], 'The repository is empty'],
  ])('refuses %j before anything is sent', async (words, why) => {
    const { code, err } = await skep(['project', 'create', ...words], at1(folder()));
    expect(code).toBe(2);
    expect(err).toContain(why);
    expect(server.calls).toEqual([]);
  });

  it('refuses a folder that is no repository, and names the repository that it lies in', async () => {
    const plain = folder();
    expect((await skep(['project', 'create', 'demo', '--repository', plain], at1('/'))).err).toContain(`git -C ${plain} init`);
    const top = repository();
    mkdirSync(join(top, 'below'));
    const { err } = await skep(['project', 'create', 'demo', '--repository', './below'], at1(top));
    expect(err).toContain(`hint: It lies within one: give ${top}\n`);
    expect(server.calls).toEqual([]);
  });

  it('takes a bare repository and a URL', async () => {
    const bare = folder();
    execFileSync('git', ['init', '--quiet', '--bare', bare]);
    await skep(['project', 'create', 'a', '--repository', bare], at1('/'));
    await skep(['project', 'create', 'b', '--repository', 'https://forge.example/b.git'], at1('/'));
    expect(server.calls.map(({ body }) => body)).toEqual([
      { name: 'a', repository: bare },
      { name: 'b', repository: 'https://forge.example/b.git' },
    ]);
  });
});

describe('an agent that speaks ACP', () => {
  const said = { kind: 'acp' as const, command: ['./a'], model: 'a/b' };
  const before = { ...said, env: { MODE: 'x' }, home: { 'a.json': '{}' }, conversations: 'talks' };

  it('keeps what nothing was said of, and each of it can be taken away', () => {
    expect(acpAgent({ options: {}, said, before })).toEqual(before);
    expect(acpAgent({ options: { env: ['B=2'], conversations: '' }, said, before })).toEqual({
      ...{ ...said, env: { B: '2' }, home: { 'a.json': '{}' } },
    });
    expect(acpAgent({ options: { env: [''], homeFile: [''], conversations: '' }, said, before })).toEqual(said);
    expect(acpRows(before)).toEqual([
      ['variables', 'MODE=x'],
      ['home', 'a.json'],
      ['conversations', 'talks'],
    ]);
  });
});

describe('skep project set', () => {
  it('changes the time of an agent and keeps its command', async () => {
    const { code } = await skep(['project', 'set', 'demo', '--timeout', '5', '--json'], at1('/'));
    expect(code).toBe(0);
    expect(server.calls.at(-1)).toMatchObject({
      method: 'PATCH',
      path: `/api/projects/${demo.id}`,
      body: { agent: { kind: 'exec', command: ['node', 'agent.js'], timeout_ms: 5_000 } },
    });
  });

  it.each([
    [['--check', 'npm test', '--check', 'npm run lint'], { checks: [check('npm test'), check('npm run lint')] }],
    [['--no-checks'], { checks: [] }],
    [['--find-checks'], { checks: null }],
    [['--test-changes', 'allow', '--red-base', 'leave-out'], { test_changes: 'allow', red_base: 'leave_out' }],
    [['--isolation', 'kernel'], { isolation: 'kernel' }],
    [['--setup', ' npm ci && make '], { setup: ['sh', '-c', 'npm ci && make'] }],
    [['--no-setup'], { setup: null }],
  ])('says how the work is verified: %j', async (words, body) => {
    expect((await skep(['project', 'set', 'demo', ...words], at1('/'))).code).toBe(0);
    expect(server.calls.at(-1)?.body).toEqual(body);
  });

  it.each([
    [['--check', 'a', '--no-checks'], 'Give one of --check, --no-checks and --find-checks'],
    [['--check', ' '], 'A check is empty'],
    [['--setup', ' '], 'The setup is empty'],
    [['--test-changes', 'maybe'], 'Allowed choices are ask, allow'],
  ])('refuses %j before anything is sent', async (words, why) => {
    const { code, err } = await skep(['project', 'set', 'demo', ...words], at1('/'));
    expect([code, server.calls]).toEqual([2, []]);
    expect(err).toContain(why);
  });

  it('asks what is to be changed', async () => {
    expect((await skep(['project', 'set', 'demo'], at1('/'))).err).toContain('There is nothing to change');
  });
});

describe('skep project list and show', () => {
  it('prints a table, or one JSON object a line', async () => {
    const { out } = await skep(['project', 'list'], at1('/'));
    expect(out).toBe('NAME  REPOSITORY  AGENT\ndemo  -           node agent.js\n');
    const json = await skep(['project', 'list', '--json'], at1('/'));
    expect(json.out).toBe(`${JSON.stringify(demo)}\n`);
  });

  it('names a project that does not exist', async () => {
    const { code, err } = await skep(['project', 'show', 'other'], at1('/'));
    expect(code).toBe(3);
    expect(err).toBe("error: There is no project 'other'\n  hint: See: skep project list\n");
  });
});
