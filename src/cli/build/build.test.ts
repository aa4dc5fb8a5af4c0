import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skep } from '../../../test/harness/cli.ts';
import { spokenLines } from '../../../test/harness/json-lines.ts';
import type { JsonLine as Line } from '../../../test/harness/json-lines.ts';
import { buildSkepOnce } from '../../../test/harness/process.ts';
import { stopEmbedded } from '../../db/embedded/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'skep-build-'));
const home = join(folder, 'home');
const program = join(import.meta.dirname, '../../../bin/skep');
const timeout = 90_000;

interface Running {
  readonly child: ChildProcess;
  readonly lines: readonly Line[];
  readonly ended: Promise<{ code: number | null; err: string; summary: Line | undefined }>;
  /** The first line for which `wanted` holds. */
  line(wanted: (line: Line) => boolean): Promise<Line>;
}

const children: ChildProcess[] = [];

/** `skep build --json` as a process of its own. */
function build(words: readonly string[]): Running {
  const env = { PATH: process.env['PATH'], SKEP_HOME: home, SKEP_RETRY_MS: '0', SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500' };
  const child = spawn(process.execPath, [program, 'build', '--json', ...words], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const spoken = spokenLines(child);
  const ended = spoken.ended.then(({ code, err }) => {
    const summary = spoken.lines.find(({ event }) => event === 'summary');
    return { code, err, summary };
  });
  return { ...spoken, child, ended };
}

const git = (repository: string, ...words: string[]) =>
  execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@example.invalid', ...words]).toString();

function repository(name: string, files: Readonly<Record<string, string>> = {}): string {
  const path = join(folder, name);
  execFileSync('git', ['init', '--quiet', '--initial-branch', 'main', path]);
  for (const [file, text] of Object.entries({ 'README.md': 'hello\n', 'check.sh': 'test -f README.md\n', ...files })) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  git(path, 'add', '--all');
  git(path, 'commit', '--quiet', '--message', 'Begin');
  return path;
}

function card(name: string, features: readonly (readonly [title: string, ...needs: string[]])[]): string {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify({ name, features: features.map(([title, ...depends_on]) => ({ title, depends_on })) }));
  return path;
}

/** Writes a file of its own for each ticket; the hold is what a test lets go. */
const writes = 'echo x > "$SKEP_TICKET_ID.txt"';
const given = (repo: string, spec: string, more: readonly string[] = []) => ['--repo', repo, '--spec', spec, '--yes', ...more];
const steps = (lines: readonly Line[]) =>
  lines.filter(({ event }) => event === 'ticket').map(({ title, status }) => `${String(title)} ${String(status)}`);
/** All that a user has: the files, the index, the refs but the new one. */
const treeOf = (path: string, branch: string) => [
  execFileSync('sh', ['-c', 'tar --sort=name -cf - --exclude=./.git . | sha256sum'], { cwd: path }).toString(),
  readFileSync(join(path, '.git/index')).toString('base64'),
  git(path, '--no-optional-locks', 'status', '--porcelain'),
  git(path, 'symbolic-ref', 'HEAD'),
  git(path, 'for-each-ref').replace(new RegExp(`^.*refs/heads/${branch}\\n`, 'm'), ''),
];

// As it is shipped: from its sources each of these processes would be compiled anew.
beforeAll(async () => {
  await buildSkepOnce();
  mkdirSync(home);
}, 120_000);
afterAll(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  await stopEmbedded(home);
  rmSync(folder, { recursive: true, force: true });
});

const nothingIsLeft = () => {
  expect(existsSync(join(home, 'server.json'))).toBe(false);
  expect(existsSync(join(home, 'postgres/data/postmaster.pid'))).toBe(false);
};

describe('skep build', () => {
  it(
    'builds a card from nothing, in the order of its graph, and leaves the user’s tree as it was',
    async () => {
      const repo = repository('first', { 'dirty.txt': 'a\n' });
      writeFileSync(join(repo, 'dirty.txt'), 'b\n');
      writeFileSync(join(repo, 'untracked.txt'), 'c\n');
      const before = treeOf(repo, 'skep/first');
      const run = build(given(repo, card('First', [['b', 'a'], ['a']]), ['--check', 'sh check.sh', '--command', writes]));
      const { code, err, summary } = await run.ended;
      expect([code, err]).toEqual([0, '']);
      expect(steps(run.lines).filter(step => step.endsWith('completed'))).toEqual(['a completed', 'b completed']);
      expect(run.lines.map(({ event }) => event)).toEqual(
        expect.arrayContaining(['plan', 'base', 'check', 'ticket', 'published', 'summary']),
      );
      expect(summary).toMatchObject({
        state: 'completed',
        exit_code: 0,
        branch: 'skep/first',
        published: true,
        commits: 2,
        proof: 'proven',
        attempts: 2,
        next: [`git -C ${repo} log --stat skep/first`, `git -C ${repo} merge skep/first`],
      });
      expect(git(repo, 'ls-tree', '--name-only', 'skep/first')).toContain('TKT-001.txt\nTKT-002.txt');
      expect(treeOf(repo, 'skep/first')).toEqual(before);
      nothingIsLeft();
      const again = await build(['--resume', '--repo', repo]).ended;
      expect([again.code, again.summary?.['state']]).toEqual([0, 'completed']);
    },
    timeout,
  );

  it(
    'hands back what runs at Ctrl-C, and goes on with --resume; after kill -9 too',
    async () => {
      const repo = repository('second');
      // The agent waits in its first attempt alone, so that the build is stopped in the middle of it.
      const slow = `[ "$SKEP_ATTEMPT" = 1 ] && sleep 600; ${writes}`;
      const first = build(given(repo, card('Second', [['only']]), ['--check', 'true', '--command', slow]));
      await first.line(({ status }) => status === 'running');
      const again = await build(given(repo, join(folder, 'Second.json'))).ended;
      expect(again.code).toBe(4);
      expect(JSON.parse(again.err)).toMatchObject({
        code: 'already_exists',
        hint: expect.stringContaining('skep build --resume'),
      });
      first.child.kill('SIGINT');
      expect(await first.ended).toMatchObject({ code: 130, err: '' });
      expect(first.lines.at(-1)).toMatchObject({ event: 'interrupted', goes_on: false });
      nothingIsLeft();

      const killed = build(['--resume', '--repo', repo, '--command', `[ "$SKEP_ATTEMPT" = 2 ] && sleep 600; ${writes}`]);
      await killed.line(({ status }) => status === 'running');
      killed.child.kill('SIGKILL');
      await killed.ended;
      const last = build(['--resume', '--repo', repo]);
      expect(await last.ended).toMatchObject({ code: 0, err: '', summary: { attempts: 3, commits: 1 } });
      nothingIsLeft();
    },
    timeout,
  );

  it(
    'refuses a base that is red before any agent runs, and goes on without the red checks when told',
    async () => {
      const repo = repository('third');
      const run = build(
        given(repo, card('Third', [['only']]), ['--check', 'echo broken; exit 3', '--check', 'true', '--command', writes]),
      );
      const { code, summary } = await run.ended;
      expect(code).toBe(4);
      expect(steps(run.lines)).toEqual([]);
      expect(run.lines.find(({ event }) => event === 'check')).toMatchObject({
        kind: 'base',
        checks: [{ exit_code: 3, output_tail: 'broken\n' }, { exit_code: 0 }],
      });
      expect(summary).toMatchObject({
        state: 'refused',
        attempts: 0,
        next: [expect.any(String), expect.stringContaining('--leave-out-red')],
      });
      const { code: later, summary: done } = await build(['--resume', '--repo', repo, '--leave-out-red']).ended;
      expect([later, done?.['proof']]).toEqual([0, 'proven']);
    },
    timeout,
  );

  it(
    'does all else while a flagged change waits, ends with 4, and goes on after the approval without a server',
    async () => {
      const repo = repository('fourth', { 'test/a.test.js': 'import test from "node:test"; test("a", () => {});\n' });
      const lies = `case "$(cat)" in *'"title": "liar"'*) echo > test/a.test.js;; *) ${writes};; esac`;
      const words = given(repo, card('Fourth', [['liar'], ['after', 'liar'], ['honest']]), [
        '--check',
        'true',
        '--command',
        lies,
      ]);
      const { code, summary } = await build(words).ended;
      expect(code).toBe(4);
      const [waiting] = (summary?.['waiting'] ?? []) as { ticket_id: string; flags: { path: string }[] }[];
      expect(waiting).toMatchObject({ flags: [{ path: 'test/a.test.js' }] });
      expect(summary).toMatchObject({ state: 'waiting', published: true, commits: 1 });
      expect(summary?.['next']).toContain(`skep change approve ${waiting?.ticket_id}`);

      const env = { SKEP_HOME: home };
      const id = waiting?.ticket_id ?? '';
      expect((await skep(['change', 'diff', id], { env })).out).toContain('--- a/test/a.test.js');
      expect(await skep(['change', 'approve', id, '--yes'], { env })).toMatchObject({ code: 0, err: '' });
      nothingIsLeft();
      expect(await build(['--resume', '--repo', repo]).ended).toMatchObject({ code: 0, summary: { commits: 3 } });
    },
    timeout,
  );

  it(
    'uses the server of another build, and goes on without it when that is gone',
    async () => {
      const [one, other] = [repository('fifth'), repository('sixth')];
      const slow = `[ "$SKEP_ATTEMPT" = 1 ] && sleep 600; ${writes}`;
      const first = build(given(one, card('Fifth', [['only']]), ['--check', 'true', '--command', slow, '--slots', '1']));
      await first.line(({ status }) => status === 'running');
      const second = build(given(other, card('Sixth', [['only']]), ['--check', 'true', '--command', writes]));
      await second.line(({ event }) => event === 'plan');
      first.child.kill('SIGTERM');
      expect((await first.ended).code).toBe(130);
      expect(await second.ended).toMatchObject({ code: 0, summary: { commits: 1 } });
      nothingIsLeft();
    },
    timeout,
  );

  it(
    'leaves the first admin token to the first start that can show it',
    async () => {
      const { out } = await skep(['start', '--json', '--port', '0'], {
        env: { SKEP_HOME: home },
        stopRequested: stopAtOnce(),
      });
      expect(out).toContain('"admin_token":"skep_');
    },
    timeout,
  );
});

/** The first one who asks is told to stop when it is ready; the next one never. */
function stopAtOnce(): () => Promise<'SIGTERM'> {
  let asked = 0;
  return () => {
    asked += 1;
    return asked === 1 ? Promise.resolve('SIGTERM') : new Promise(() => {});
  };
}
