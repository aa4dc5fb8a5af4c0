import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { fingerprint, git, makeRepository, script, startWorker, temporaryFolder } from '../../../test/harness/worker.ts';
import type { TestWorker } from '../../../test/harness/worker.ts';

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

async function ended(task: QueuedTask): Promise<QueuedRun> {
  const run = server.queue(task);
  await server.until(() => run.state === 'submitted' || run.state === 'failed');
  return run;
}

/** A run of an agent that is this script. */
function agentRun(lines: string[], task: QueuedTask = {}): Promise<QueuedRun> {
  return ended({ repository: makeRepository({ 'agent.sh': script(...lines), 'README.md': 'hello\n' }), ...task });
}

/** The branch of a run in a fresh clone of its repository, by real git. */
function landed(run: QueuedRun, repository: string | null): string {
  const folder = temporaryFolder();
  const bundle = join(mkdtempSync(join(folder, 'b-')), 'result.bundle');
  writeFileSync(bundle, run.bundle ?? '');
  const clone = join(folder, 'clone');
  if (repository === null) git(folder, 'init', '--quiet', clone);
  else git(folder, 'clone', '--quiet', repository, clone);
  git(clone, 'bundle', 'verify', '--quiet', bundle);
  git(clone, '-c', 'fetch.fsckObjects=true', 'fetch', '--quiet', bundle, `skep/${run.ticketId}:result`);
  git(clone, 'checkout', '--quiet', 'result');
  return clone;
}

describe('a run that ends well', () => {
  it('brings the work back as a bundle that git takes in a fresh clone', async () => {
    const repository = makeRepository({ 'agent.sh': script('echo done > done.txt', 'echo working'), 'README.md': 'hello\n' });
    const run = await ended({ repository, title: 'Add "done"\u00e9' });
    expect(run.failure).toBeUndefined();
    expect(run.result).toMatchObject({
      base: git(repository, 'rev-parse', 'HEAD'),
      branch: `skep/${run.ticketId}`,
      summary: '1 file changed, 1 insertion(+)',
    });
    const clone = landed(run, repository);
    expect(git(clone, 'rev-parse', 'HEAD')).toBe(run.result?.head);
    expect(git(clone, 'show', 'HEAD:done.txt')).toBe('done');
    expect(git(clone, 'log', '-1', '--format=%an|%s|%(trailers:key=Skep-Ticket,valueonly)').trim()).toBe(
      `Skep agent|Add "done"\u00e9|${run.ticketId}`,
    );
    expect(git(clone, 'rev-parse', 'HEAD~1')).toBe(run.result?.base);
    expect(run.log.toString()).toBe('working\n');
  });

  it('tells how far it has come', async () => {
    const run = await agentRun(['sleep 0.2; echo x > x']);
    expect(run.events.map(({ type, payload }) => payload['phase'] ?? type)).toEqual([
      'prepare_sandbox',
      'check_out',
      'start_agent',
      'agent.started',
      'stream',
      'agent.ended',
      'collect',
      'submit',
    ]);
  });

  it('takes the commits that the agent made itself, on any branch', async () => {
    const repository = makeRepository({
      'agent.sh': script('git checkout -qb other', 'echo 1 > one', 'git add one', 'git commit -qm one', 'echo 2 > two'),
    });
    const clone = landed(await ended({ repository }), repository);
    expect(git(clone, 'log', '--format=%s %an', '--reverse')).toBe('first Ann\none Skep agent\nAdd a file Skep agent');
    expect(git(clone, 'show', 'HEAD:two')).toBe('2');
  });

  it('gives the agent the ticket on stdin and in a file, and no token', async () => {
    const run = await agentRun([
      'cat > stdin.json; cmp stdin.json $SKEP_TICKET && echo same',
      'grep -c \'"title": "Add a file"\' stdin.json; env | grep -c secret; echo $SKEP_TICKET_ID $SKEP_ATTEMPT; test -n "$SKEP_RUN_ID"',
      'git remote; git status --short --branch | head -1',
    ]);
    expect(run.log.toString()).toBe(`same\n1\n0\n${run.ticketId} 1\n## skep/${run.ticketId}\n`);
  });

  it('starts from an unborn branch in a repository without a commit, and in none at all', async () => {
    const empty = temporaryFolder();
    git(empty, 'init', '--quiet');
    for (const repository of [empty, null]) {
      const agent = { kind: 'exec', command: ['sh', '-c', 'echo new > new.txt'] } as const;
      const run = await ended({ repository, agent: { ...agent, command: [...agent.command] } });
      expect(run.failure).toBeUndefined();
      expect(run.result?.base).toBeUndefined();
      expect(run.result?.summary).toBe('1 file changed, 1 insertion(+)');
      expect(git(landed(run, repository), 'show', 'HEAD:new.txt')).toBe('new');
    }
  });

  it('passes output that is no text as it is, stdout and stderr in order', async () => {
    const run = await agentRun(['printf "\\377\\376a\\000b"', 'echo err >&2', 'echo out', 'echo x > x']);
    expect(run.log.toString('latin1')).toBe('\u00ff\u00fea\u0000berr\nout\n');
  });

  it('leaves nothing on this machine', async () => {
    await agentRun(['setsid sleep 300 &', 'echo x > x']);
    expect(readdirSync(join(worker.folder, 'runs'))).toEqual([]);
    expect(readdirSync(join(worker.folder, 'sandboxes'))).toEqual([]);
  });
});

describe('a run that fails', () => {
  it.each([
    ['exit code', ['echo one; echo two >&2; exit 3'], {}, 'agent_failed', /exit code 3; it printed at last:\none\ntwo$/],
    ['signal', ['kill -SEGV $$'], {}, 'agent_failed', /SIGSEGV/],
    ['no changes', ['true'], {}, 'no_changes', /changed nothing/],
    [
      'no time',
      ['echo begun; sleep 60'],
      { limits: { timeout_ms: 400 } },
      'timeout',
      /within 400 ms; it printed at last:\nbegun/,
    ],
    ['endless output', ['yes'], { limits: { output_bytes_max: 1_000_000 } }, 'output_limit', /more than 1000000 bytes/],
    [
      'no memory',
      ['python3 -c "x = bytearray(400000000); x[::4096] = b\'1\' * len(x[::4096])"'],
      { limits: { memory_bytes: 64 * 2 ** 20 } },
      'out_of_memory',
      /memory/,
    ],
    [
      'a large result',
      ['head -c 300000 /dev/urandom > big'],
      { limits: { bundle_bytes_max: 100_000 } },
      'output_limit',
      /too large.*100000 bytes/,
    ],
    ['a broken repository', ['rm -rf .git; echo x > x'], {}, 'agent_failed', /not a git repository/],
    ['a lock left', ['touch .git/index.lock; echo x > x'], {}, 'agent_failed', /index.lock/],
  ] as const)('by %s', async (_name, lines, task, name, message) => {
    const run = await agentRun([...lines], task);
    expect(run.failure?.class).toBe(name);
    expect(run.failure?.message).toMatch(message);
    expect(run.bundle).toBeUndefined();
  });

  it('keeps the log to the limit of its bytes', async () => {
    const run = await agentRun(['yes'], { limits: { output_bytes_max: 1_000_000 } });
    expect(run.log.length).toBe(1_000_000);
  });

  it.each([
    [
      'a missing program',
      { agent: { kind: 'exec' as const, command: ['no-such-agent'] } },
      'agent_missing',
      /'no-such-agent'.*\/usr only/,
    ],
    ['no agent', { agent: null }, 'invalid_task', /'demo' has no agent/],
    [
      'a repository that is gone',
      { repository: '/nonexistent/repository' },
      'repository',
      /There is no \/nonexistent\/repository/,
    ],
    ['a transport that runs a command', { repository: 'ext::sh -c id' }, 'repository', /neither an absolute path nor a URL/],
    [
      'a folder that is no repository',
      { repository: '/usr' },
      'repository',
      /does not appear to be a git repository|not a git repository/,
    ],
  ])('by %s', async (_name, task, name, message) => {
    const run = await ended({ repository: makeRepository({ a: 'a' }), ...task });
    expect(run.failure?.class).toBe(name);
    expect(run.failure?.message).toMatch(message);
  });
});

describe('the user’s repository', () => {
  it('is not written, and none of its settings or hooks run on the host', async () => {
    const marker = join(temporaryFolder(), 'ran');
    const hostile = `touch ${marker}`;
    const repository = makeRepository({
      'agent.sh': script('echo x > x; echo y > y.evil'),
      '.gitattributes': '*.evil filter=evil diff=evil merge=evil\n',
      'a.evil': 'a\n',
    });
    for (const [key, value] of Object.entries(settingsThatRun(hostile))) git(repository, 'config', key, value);
    for (const hook of ['post-checkout', 'pre-commit', 'reference-transaction', 'post-update', 'pre-auto-gc', 'post-merge']) {
      writeFileSync(join(repository, '.git/hooks', hook), script(hostile), { mode: 0o755 });
    }
    const before = fingerprint(repository);
    const run = await ended({ repository });
    expect(run.state).toBe('submitted');
    expect(fingerprint(repository)).toBe(before);
    expect(readdirSync(join(marker, '..'))).toEqual([]);
  });

  it('is not reached by what the agent writes into its own', async () => {
    const marker = join(temporaryFolder(), 'ran');
    const settings = Object.entries(settingsThatRun(`touch ${marker}`)).map(([key, value]) => `git config ${key} '${value}'`);
    const run = await agentRun([
      ...settings,
      "for h in pre-commit commit-msg post-commit post-index-change; do printf '#!/bin/sh\\ntouch " +
        marker +
        "\\n' > .git/hooks/$h; chmod +x .git/hooks/$h; done",
      "echo '* filter=evil' > .gitattributes; mkfifo pipe; ln -s /etc/passwd link; echo x > x",
    ]);
    // Whatever became of the work, nothing of it ran here.
    expect(['submitted', 'failed']).toContain(run.state);
    expect(readdirSync(join(marker, '..'))).toEqual([]);
  });

  it('serves two runs at once, and the next one when it has moved on', async () => {
    const repository = makeRepository({ 'agent.sh': script('sleep 0.2; echo x > x') });
    const runs = await Promise.all([ended({ repository }), ended({ repository }), ended({ repository })]);
    expect(runs.map(({ state }) => state)).toEqual(['submitted', 'submitted', 'submitted']);
    git(repository, 'commit', '--quiet', '--allow-empty', '--message=second');
    const next = await ended({ repository });
    expect(next.result?.base).toBe(git(repository, 'rev-parse', 'HEAD'));
    expect(next.result?.base).not.toBe(runs[0]?.result?.base);
  });
});

function settingsThatRun(command: string): Record<string, string> {
  return {
    'core.fsmonitor': command,
    'core.sshCommand': command,
    'core.pager': command,
    'core.editor': command,
    'core.alternateRefsCommand': command,
    'uploadpack.packObjectsHook': command,
    'filter.evil.clean': `${command}; cat`,
    'filter.evil.smudge': `${command}; cat`,
    'diff.external': command,
    'diff.evil.textconv': command,
    'merge.evil.driver': command,
    'gpg.program': command,
    'commit.gpgSign': 'true',
    'credential.helper': `!${command}`,
    'protocol.ext.allow': 'always',
  };
}
