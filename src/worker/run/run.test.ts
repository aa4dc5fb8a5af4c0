import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sandboxesIn } from '../../../test/harness/disks.ts';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { git, makeRepository, processesWith, script, startWorker, temporaryFolder } from '../../../test/harness/worker.ts';
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
function landed(run: QueuedRun, repository: string): string {
  const folder = temporaryFolder();
  const bundle = join(mkdtempSync(join(folder, 'b-')), 'result.bundle');
  writeFileSync(bundle, run.bundle ?? '');
  const clone = join(folder, 'clone');
  git(folder, 'clone', '--quiet', repository, clone);
  git(clone, 'bundle', 'verify', '--quiet', bundle);
  git(clone, '-c', 'fetch.fsckObjects=true', 'fetch', '--quiet', bundle, `skep/${run.ticketId}:result`);
  git(clone, 'checkout', '--quiet', 'result');
  return clone;
}

describe('a run whose project accepts more isolation than there is', () => {
  it('is refused by the worker that is given it all the same', async () => {
    const run = await agentRun(['echo x > x'], { isolation: 'kernel' });
    expect(run.failure).toEqual({
      class: 'sandbox',
      message: "The project 'demo' accepts sandboxes of isolation kernel or more; those of this worker (local) give namespaces",
    });
    expect(run.log.toString()).toBe('');
  });
});

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

  it('tells the agent what was wrong with its last attempt, from which it goes on', async () => {
    const feedback = { round: 1, text: 'npm test was red:\n1 failed\n', checks: [] };
    const lines = ['cat > /tmp/in; cmp /tmp/in $SKEP_TICKET; cat $SKEP_FEEDBACK; grep -A 2 feedback /tmp/in', 'echo x > x'];
    const told = await agentRun(lines, { feedback });
    expect(told.log.toString()).toBe(
      'npm test was red:\n1 failed\n  "feedback": {\n    "round": 1,\n    "text": "npm test was red:\\n1 failed\\n",\n',
    );
    const first = await agentRun(['cat > /tmp/in; echo "${SKEP_FEEDBACK-none}"; grep feedback /tmp/in', 'echo x > x']);
    expect(first.log.toString()).toBe('none\n  "feedback": null\n');
  });

  it('tells the agent what people have answered, also where nothing was wrong', async () => {
    const answers = [{ question: 'Which port?', answer: '443', is_default: false }];
    const told = await agentRun(['cat > /tmp/in; cat $SKEP_FEEDBACK; grep -c Which /tmp/in', 'echo x > x'], { answers });
    expect(told.log.toString()).toBe('Asked: Which port?\nA person has answered: 4431\n');
  });

  it('starts from the commit that the server names, which no branch need have', async () => {
    const repository = makeRepository({ 'agent.sh': script('echo x > x') });
    git(repository, 'commit', '--quiet', '--allow-empty', '--message=apart');
    const commit = git(repository, 'rev-parse', 'HEAD');
    git(repository, 'reset', '--quiet', '--hard', 'HEAD~1');
    expect((await ended({ repository, commit })).result?.base).toBe(commit);
  });

  it('starts from a commit without a file', async () => {
    const repository = makeRepository({});
    const run = await ended({ repository, agent: exec('cp', '/skep/ticket.json', 'new.txt') });
    expect(run.failure).toBeUndefined();
    expect(run.result?.summary).toMatch(/^1 file changed, \d+ insertions/);
    expect(git(landed(run, repository), 'show', 'HEAD:new.txt')).toContain(run.ticketId);
  });

  it('passes output that is no text as it is, stdout and stderr in order', async () => {
    // At its end a byte with which no token begins: one that may be the first of a secret is held until the next has come.
    const run = await agentRun(['printf "\\377\\376ab\\000"', 'sleep 0.1; echo err >&2; sleep 0.1', 'echo out', 'echo x > x']);
    expect(run.log.toString('latin1')).toBe('\u00ff\u00feab\u0000err\nout\n');
  });

  it('hands in what an attempt that broke off has left, where the agent finds nothing to add to it', async () => {
    const repository = makeRepository({ 'agent.sh': script('true'), 'half.txt': 'done by the last one\n' });
    const run = await ended({ repository, hasWork: true });
    expect(run.failure).toBeUndefined();
    const clone = landed(run, repository);
    expect(git(clone, 'rev-parse', 'HEAD^')).toBe(git(repository, 'rev-parse', 'HEAD'));
    expect(git(clone, 'diff', '--stat', 'HEAD^', 'HEAD')).toBe('');
  });

  it('leaves nothing on this machine', async () => {
    const run = await agentRun(['setsid sleep 31415 &', 'echo x > x']);
    await expect
      .poll(() => worker.changes.some(change => change.kind === 'ended' && change.claimed.run.id === run.id))
      .toBe(true);
    expect(readdirSync(join(worker.folder, 'runs'))).toEqual([]);
    expect(sandboxesIn(join(worker.folder, 'sandboxes'))).toEqual([]);
    expect(processesWith('31415')).toEqual([]);
  });
});

interface Case {
  readonly by: string;
  readonly lines?: string[];
  readonly task?: QueuedTask;
  readonly name: string;
  readonly says: RegExp;
}

const hog = 'python3 -c "x = bytearray(400000000); x[::4096] = b\'1\' * len(x[::4096])"';
const failures: readonly Case[] = [
  {
    by: 'exit code',
    lines: ['echo one; echo two >&2; exit 3'],
    name: 'agent_failed',
    says: /exit code 3; it printed at last:\n(one\ntwo|two\none)$/,
  },
  { by: 'signal', lines: ['kill -SEGV $$'], name: 'agent_died', says: /SIGSEGV/ },
  {
    by: 'no changes',
    lines: ['echo I do not see it'],
    name: 'no_changes',
    says: /changed nothing; it printed at last:\nI do not see it$/,
  },
  {
    by: 'no time',
    lines: ['echo begun; sleep 60'],
    task: { limits: { timeout_ms: 300 } },
    name: 'timeout',
    says: /within 300 ms/,
  },
  {
    by: 'endless output',
    lines: ['yes'],
    task: { limits: { output_bytes_max: 1_000_000 } },
    name: 'output_limit',
    says: /than 1000000 bytes/,
  },
  { by: 'no memory', lines: [hog], task: { limits: { memory_bytes: 64 * 2 ** 20 } }, name: 'out_of_memory', says: /more memory/ },
  {
    by: 'a large result',
    lines: ['head -c 300000 /dev/urandom > big'],
    task: { limits: { bundle_bytes_max: 100_000 } },
    name: 'output_limit',
    says: /too large.*100000 bytes/,
  },
  { by: 'a broken repository', lines: ['rm -rf .git; echo x > x'], name: 'agent_failed', says: /not a git repository/ },
  { by: 'a folder without rights', lines: ['echo x > x; chmod 0 .'], name: 'agent_failed', says: /cannot be entered/ },
  { by: 'a lock left', lines: ['touch .git/index.lock; echo x > x'], name: 'agent_failed', says: /index.lock/ },
  { by: 'a missing program', task: { agent: exec('no-such-agent') }, name: 'agent_missing', says: /'no-such-agent'.*\/usr only/ },
  { by: 'no agent', task: { agent: null }, name: 'invalid_task', says: /'demo' has no agent/ },
  {
    by: 'a repository that is gone',
    task: { repository: '/nonexistent' },
    name: 'repository',
    says: /does not serve the repository: The run has no repository/,
  },
  { by: 'a subject of another kind', task: { subject: 'diagnosis' }, name: 'invalid_task', says: /no runs of a diagnosis/ },
];

describe('a run that fails', () => {
  it.each(failures)('by $by', async ({ lines = ['true'], task = {}, name, says }) => {
    const run = await agentRun(lines, task);
    expect(run.failure?.class).toBe(name);
    expect(run.failure?.message).toMatch(says);
    expect(run.bundle).toBeUndefined();
  });

  it('keeps the log to the limit of its bytes', async () => {
    const run = await agentRun(['yes'], { limits: { output_bytes_max: 1_000_000 } });
    expect(run.log.length).toBe(1_000_000);
  });
});

function exec(...command: string[]): { kind: 'exec'; command: string[] } {
  return { kind: 'exec', command };
}

describe('a repository', () => {
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

  it('whose copy on this machine has lost a file is fetched anew', async () => {
    const repository = makeRepository({ 'agent.sh': script('echo x > x'), 'lost.txt': 'lost' });
    await ended({ repository });
    const blob = git(repository, 'rev-parse', 'HEAD:lost.txt');
    const copy = readdirSync(join(worker.folder, 'repositories'))
      .map(name => join(worker.folder, 'repositories', name))
      .find(path => path.endsWith('.git') && has(path, blob));
    loseObject(copy ?? '', blob);
    const next = await ended({ repository });
    expect(next.failure).toBeUndefined();
    expect(has(copy ?? '', blob)).toBe(true);
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

function has(repository: string, object: string): boolean {
  try {
    return git(repository, 'cat-file', '-t', object) !== '';
  } catch {
    return false;
  }
}

/** Takes one object out of a repository that has one pack. */
function loseObject(repository: string, object: string): void {
  const packs = join(repository, 'objects/pack');
  const pack = readdirSync(packs).find(name => name.endsWith('.pack')) ?? '';
  const content = readFileSync(join(packs, pack));
  rmSync(packs, { recursive: true });
  execFileSync('git', ['-C', repository, 'unpack-objects', '-q'], { input: content });
  rmSync(join(repository, 'objects', object.slice(0, 2), object.slice(2)));
}

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
