import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../test/harness/cli.ts';
import type { Answer, Call } from '../../test/harness/cli.ts';
import { faults } from '../kernel/fault.ts';

let server: Awaited<ReturnType<typeof scriptedServer>> | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Runs a command against a server that answers so. */
async function against(argv: readonly string[], answer: (call: Call) => Answer, token = 'secret') {
  server = await scriptedServer(answer);
  return skep([...argv, '--server', server.url], { env: { SKEP_TOKEN: token } });
}

/** The help of every command that does something, by its name. */
async function allHelps(): Promise<[name: string, help: string][]> {
  const { out } = await skep(['--help']);
  const nouns = [...out.matchAll(/^ {2}([a-z-]+) .*$/gm)]
    .map(([, name = '']) => name)
    .filter(name => !['help', 'skep'].includes(name));
  const helps: [string, string][] = [];
  for (const name of nouns) {
    const { out: help } = await skep([name, '--help']);
    const verbs = [...help.matchAll(/^ {2}([a-z-]+) \[options\]/gm)].map(([, verb = '']) => verb);
    if (verbs.length === 0) helps.push([name, help]);
    for (const verb of verbs) helps.push([`${name} ${verb}`, (await skep([name, verb, '--help'])).out]);
  }
  return helps;
}

describe('the program', () => {
  it('says what to begin with when it is called with nothing', async () => {
    const { code, out } = await skep([]);
    expect(code).toBe(0);
    expect(out).toContain('skep build');
    expect(out).toContain('skep start');
  });

  it('asks back for a mistyped command', async () => {
    const { code, err, out } = await skep(['tickte']);
    expect(code).toBe(2);
    expect(err).toBe("error: unknown command 'tickte'\n  hint: Did you mean ticket?\n");
    expect(out).toBe('');
  });

  it('asks back for a mistyped verb and option, as JSON too', async () => {
    expect((await skep(['ticket', 'lst'])).err).toContain('Did you mean list?');
    const { code, err } = await skep(['ticket', 'list', '--stauts', 'ready', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(err)).toEqual({
      error: "unknown option '--stauts'",
      code: 'invalid_request',
      hint: 'Did you mean --status?',
    });
  });

  it('shows help with an example on every command', async () => {
    const helps = await allHelps();
    expect(helps.length).toBeGreaterThan(30);
    expect(helps.filter(([, help]) => !/Examples?:\n {2}(DATABASE_URL=\S+ )?skep /.test(help)).map(([name]) => name)).toEqual([]);
    expect(helps.filter(([, help]) => !help.includes('--json')).map(([name]) => name)).toEqual([]);
  });

  it('is what docs/cli.md says: every command, every exit code', async () => {
    const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    const unnamed = (await allHelps()).filter(([name]) => {
      const [noun = '', verb] = name.split(' ');
      const rows = page.split('\n').filter(line => line.startsWith(`| \`skep ${noun}`));
      return !rows.some(row => verb === undefined || new RegExp(`[\`\\s]${verb}\\b`).test(row));
    });
    expect(unnamed.map(([name]) => name)).toEqual([]);
    const codes = new Set(Object.values(faults).map(({ exit }) => exit));
    expect([...codes].filter(code => !page.includes(`\n| ${code} | `))).toEqual([]);
  });

  it('ends with 2 where a noun has no verb', async () => {
    const { code, err } = await skep(['ticket']);
    expect(code).toBe(2);
    expect(err).toContain('Usage: skep ticket');
  });

  it('prints its version', async () => {
    expect((await skep(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('refusals', () => {
  it('says where the server should be and how to start one', async () => {
    server = await scriptedServer(() => ({}));
    const { url } = server;
    await server.close();
    const { code, err } = await skep(['project', 'list', '--server', url]);
    expect(code).toBe(6);
    expect(err).toContain(`${url} does not answer`);
    expect(err).toContain("hint: Start it with 'skep start'");
  });

  it('says how to give the token after a 401', async () => {
    const { code, err } = await against(['project', 'list'], () => ({
      status: 401,
      fault: 'unauthenticated',
      json: { error: 'Authentication required' },
    }));
    expect(code).toBe(5);
    expect(err).toContain('error: Authentication required\n');
    expect(err).toContain('export SKEP_TOKEN');
  });

  it('prints the issues of a refusal with their paths', async () => {
    const answer = {
      status: 400,
      fault: 'invalid_request',
      json: { error: 'The request is not valid', hint: 'See /openapi.json', issues: [{ path: 'title', message: 'is too long' }] },
    };
    const { code, err } = await against(['project', 'show', 'x'], () => answer);
    expect(code).toBe(2);
    expect(err).toBe('error: The request is not valid\n  title: is too long\n  hint: See /openapi.json\n');
    await server?.close();
    const json = await against(['project', 'show', 'x', '--json'], () => answer);
    expect(JSON.parse(json.err)).toEqual({
      error: 'The request is not valid',
      code: 'invalid_request',
      hint: 'See /openapi.json',
      issues: [{ path: 'title', message: 'is too long' }],
    });
  });

  it('never lets a server write escape sequences to the terminal', async () => {
    const { err } = await against(['project', 'list'], () => ({ status: 404, json: { error: 'gone\u001b]52;c;aGk=\u0007' } }));
    expect(err).not.toContain('\u001b');
  });

  it('does not print its token', async () => {
    const { err, out } = await against(['project', 'list'], () => ({ status: 500, json: { error: 'no' } }), 'hush-hush');
    expect(err + out).not.toContain('hush-hush');
  });
});

describe('the token', () => {
  it('comes from the environment, a file or an option; the option wins', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'skep-cli-')), 'token');
    writeFileSync(file, 'of-file\n');
    server = await scriptedServer(() => ({ json: { projects: [] } }));
    const list = ['project', 'list', '--server', server.url];
    await skep(list, { env: { SKEP_TOKEN: 'of-env' } });
    await skep([...list, '--token-file', file], { env: { SKEP_TOKEN: 'of-env' } });
    await skep([...list, '--token-file', file, '--token', 'of-option']);
    expect(server.calls.map(({ token }) => token)).toEqual(['of-env', 'of-file', 'of-option']);
  });

  it('names a token file that cannot be read', async () => {
    const { code, err } = await skep(['project', 'list', '--token-file', 'none.token']);
    expect(code).toBe(2);
    expect(err).toContain('none.token cannot be read');
  });
});
