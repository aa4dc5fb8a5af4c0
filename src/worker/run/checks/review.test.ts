import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckEvidence } from '../../../../contract/reviews.ts';
import { startScriptedServer } from '../../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../../test/harness/scripted-server.ts';
import { git, makeRepository, processesWith, startWorker, temporaryFolder } from '../../../../test/harness/worker.ts';
import type { TestWorker } from '../../../../test/harness/worker.ts';

let server: ScriptedServer;
let worker: TestWorker;

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server);
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

/** Each check is a script of one line, named by its number. */
async function reviewed(lines: readonly string[], task: QueuedTask = {}): Promise<QueuedRun> {
  const checks = lines.map((line, i) => ({ name: `check ${i + 1}`, command: ['sh', '-c', line] }));
  const repository = makeRepository({ 'tracked.txt': 'committed\n', '.gitignore': 'ignored\n' });
  const run = server.queue({ subject: 'review', repository, checks, agent: null, ...task });
  await server.until(() => run.state === 'submitted' || run.state === 'failed');
  return run;
}

function evidence(run: QueuedRun): readonly CheckEvidence[] {
  expect(run.failure).toBeUndefined();
  return run.result?.checks ?? [];
}

describe('a review', () => {
  it('runs the checks in order on the commit, without an agent, and hands in how each ended', async () => {
    const run = await reviewed(['echo one; test "$CI" = 1', 'printf two; cat tracked.txt; git rev-parse HEAD']);
    expect(run.result).toMatchObject({ summary: '2 of 2 checks passed' });
    expect([run.result?.bundle, run.result?.head, run.bundle]).toEqual([undefined, undefined, undefined]);
    const green = { outcome: 'exited', exit_code: 0, flaky: false, tests: null };
    expect(evidence(run)).toMatchObject([
      { name: 'check 1', command: ['sh', '-c', expect.anything()], output_tail: 'one\n', ...green },
      { name: 'check 2', output_tail: expect.stringMatching(/^twocommitted\n[0-9a-f]{40}\n$/) as string, ...green },
    ]);
    expect(run.log.toString()).toMatch(
      /^\$ sh -c 'echo one; test "\$CI" = 1'\none\n\$ sh -c 'printf two; cat [^\n]*\ntwocommitted\n[0-9a-f]{40}\n$/,
    );
  });

  it('tells how far it has come', async () => {
    const run = await reviewed(['true', 'exit 3']);
    expect(run.events.map(({ type, payload }) => payload['phase'] ?? type)).toEqual([
      ...['prepare_sandbox', 'check_out', 'run_checks'],
      ...['check.started', 'check.ended', 'check.started', 'check.ended', 'submit'],
    ]);
    expect(run.events.at(-2)?.payload).toEqual({
      ...{ name: 'check 2', outcome: 'exited', exit_code: 3, flaky: false, duration_ms: expect.any(Number) as number },
    });
  });

  it('counts the tests of a check', async () => {
    const run = await reviewed(["printf 'TAP version 13\\nok 1 - a\\nnot ok 2 - b\\n1..2\\n# tests 2\\n# pass 1\\n# fail 1\\n'"]);
    expect(evidence(run)).toMatchObject([{ tests: { total: 2, passed: 1, failed: 1, skipped: 0 } }]);
  });

  it('has no checks to run', async () => {
    const run = await reviewed([]);
    expect(run.result).toMatchObject({ summary: '0 of 0 checks passed', checks: [] });
  });
});

describe('a check', () => {
  it('that is red twice is red, and the others are run all the same', async () => {
    const run = await reviewed(['echo broken >&2; exit 3', 'kill -SEGV $$', 'true']);
    expect(run.result?.summary).toBe('1 of 3 checks passed');
    expect(evidence(run)).toMatchObject([
      { outcome: 'exited', exit_code: 3, flaky: false, output_tail: 'broken\n' },
      { outcome: 'signaled', exit_code: null, flaky: false },
      { outcome: 'exited', exit_code: 0 },
    ]);
    expect(run.log.toString().match(/^broken$/gm)).toHaveLength(2);
  });

  it('that is red once is flaky, and what counts is the second time', async () => {
    const run = await reviewed(['[ -e ignored ] || { touch ignored; echo first; exit 1; }; echo second']);
    expect(evidence(run)).toMatchObject([{ outcome: 'exited', exit_code: 0, flaky: true, output_tail: 'second\n' }]);
  });

  it('is tried again on what was committed, without what it left', async () => {
    const run = await reviewed(['cat tracked.txt; ls; echo mine > tracked.txt; touch left; exit 1']);
    expect(evidence(run)).toMatchObject([{ flaky: false, output_tail: 'committed\ntracked.txt\n' }]);
  });

  it('finds what an earlier one has built, and tracked files as they were committed', async () => {
    const run = await reviewed([
      'touch built ignored; echo mine > tracked.txt; git add tracked.txt',
      'ls -A; cat tracked.txt; git status --short',
    ]);
    expect(evidence(run)[1]?.output_tail).toBe('.git\n.gitignore\nbuilt\nignored\ntracked.txt\ncommitted\n?? built\n');
  });

  it.each([
    ['without a repository', 'rm -rf .git; mkdir -p sub/deep; chmod 000 sub'],
    ['with a locked index', 'touch .git/index.lock'],
    ['with a pipe for a file', 'rm tracked.txt; mkfifo tracked.txt pipe; ln -s /etc/passwd link'],
    ['on another branch', 'git checkout -q --orphan other; git rm -qrf .; git -c user.name=x commit -qm x --allow-empty'],
  ])('that leaves a workspace %s does not spoil the next one', async (_, line) => {
    const run = await reviewed([line, 'cat tracked.txt && git status --short --untracked-files=no']);
    expect(evidence(run)).toMatchObject([{ exit_code: 0 }, { exit_code: 0, output_tail: 'committed\n' }]);
  });

  it('that takes too long is ended with all that it started, and not tried again', async () => {
    const run = await reviewed(['echo begun; setsid sleep 29979 & sleep 29979'], { limits: { timeout_ms: 400 } });
    const [ended] = evidence(run);
    expect(ended).toMatchObject({ outcome: 'timeout', exit_code: null, flaky: false });
    expect(ended?.output_tail).toMatch(/^begun\n/);
    expect(ended?.duration_ms).toBeGreaterThanOrEqual(400);
    expect(processesWith('29979')).toEqual([]);
    expect(run.log.toString().match(/begun$/gm)).toHaveLength(1);
  });

  it('whose program is missing says so', async () => {
    const run = await reviewed([], { checks: [{ name: 'lint', command: ['no-such-linter', '--all'] }] });
    expect(evidence(run)).toMatchObject([{ name: 'lint', outcome: 'not_found', exit_code: null, output_tail: '' }]);
    expect(run.log.toString()).toBe('$ no-such-linter --all\n');
  });

  it('may print a lot: the log and the evidence stay within their limits', async () => {
    const run = await reviewed(['yes 0123456789 | head -c 10000000; echo; echo the end'], {
      limits: { output_bytes_max: 20_000_000 },
    });
    const [ended] = evidence(run);
    expect(ended?.output_tail).toHaveLength(16_384);
    expect(ended?.output_tail).toMatch(/0123456789\n.*\nthe end\n$/s);
    expect(run.log.length).toBeGreaterThan(10_000_000);
    const endless = await reviewed(['yes', 'echo after'], { limits: { output_bytes_max: 500_000 } });
    expect(evidence(endless)).toMatchObject([{ outcome: 'output_limit' }, { outcome: 'exited', output_tail: 'after\n' }]);
    expect(endless.log.length).toBe(500_000);
  });

  it('leaves text that a page and a database take', async () => {
    const run = await reviewed([String.raw`printf 'a\000\033[31mred\033[0m\r\n\033]0;title\007b\t\377\342\200\256c'`]);
    expect(evidence(run)[0]?.output_tail).toBe('ared\nb\tc');
  });

  it('that brings the sandbox down by its memory is told from one that fails', async () => {
    const hog = 'python3 -c "x = bytearray(400000000); x[::4096] = b\'1\' * len(x[::4096])"';
    const run = await reviewed([hog], { limits: { memory_bytes: 64 * 2 ** 20 } });
    expect(evidence(run)).toMatchObject([{ outcome: 'out_of_memory' }]);
  });
});

describe('a repository that is hostile', () => {
  it('does nothing on this machine, and is checked like any other', async () => {
    const marker = join(temporaryFolder(), 'ran');
    const repository = makeRepository({ '.gitattributes': '* filter=evil diff=evil merge=evil\n', 'a.txt': 'a\n' });
    for (const [name, to] of Object.entries({ passwd: '/etc/passwd', up: '../../../..', dangling: 'nowhere' }))
      symlinkSync(to, join(repository, name));
    git(repository, 'add', '--all');
    git(repository, 'commit', '--quiet', '--message=links');
    const settings = ['filter.evil.smudge', 'filter.evil.clean', 'core.fsmonitor', 'core.hooksPath'];
    const evil = settings.map(key => `git config ${key} 'touch ${marker}'`).join('; ');
    const run = await reviewed([`${evil}; mkfifo pipe; rm a.txt; mkfifo a.txt`, 'grep -c agent passwd; cat a.txt'], {
      repository,
    });
    expect(evidence(run)).toMatchObject([{ exit_code: 0 }, { exit_code: 0, output_tail: '1\na\n' }]);
    expect(existsSync(marker)).toBe(false);
  });
});

describe('a worker of reviews', () => {
  it('offers to run checks and to resolve conflicts', async () => {
    const run = await reviewed(['true']);
    expect(run.capabilities).toEqual(['agent:exec', 'isolation:namespaces', 'checks', 'conflicts', 'plan']);
  });
});
