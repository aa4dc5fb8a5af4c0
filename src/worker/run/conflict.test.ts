import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { git, makeRepository, script, startWorker, temporaryFolder } from '../../../test/harness/worker.ts';
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

interface Sides {
  readonly repository: string;
  readonly ours: string;
  readonly theirs: string;
}

/** Two commits on one base: each with these files. The agent is a script of both. */
function sides(ours: Record<string, string>, theirs: Record<string, string>, agent: readonly string[]): Sides {
  const repository = makeRepository({ 'agent.sh': script(...agent), 'a.txt': 'base\n', 'b.txt': 'base\n' });
  const side = (name: string, files: Record<string, string>): string => {
    git(repository, 'checkout', '--quiet', '-b', name, 'main');
    for (const [path, content] of Object.entries(files)) writeFileSync(join(repository, path), content);
    git(repository, 'add', '--all');
    git(repository, 'commit', '--quiet', '--allow-empty', `--message=${name}`);
    return git(repository, 'rev-parse', 'HEAD');
  };
  return { repository, theirs: side('theirs', theirs), ours: side('ours', ours) };
}

async function resolved({ repository, ours, theirs }: Sides, task: QueuedTask = {}): Promise<QueuedRun> {
  const run = server.queue({ subject: 'conflict', repository, commit: ours, merge: theirs, ...task });
  await server.until(() => run.state === 'submitted' || run.state === 'failed');
  return run;
}

/** Both sides have changed both files. */
const conflicting = (...agent: string[]): Sides =>
  sides({ 'a.txt': 'ours\n', 'b.txt': 'ours\n' }, { 'a.txt': 'theirs\n', 'b.txt': 'theirs\n' }, agent);

/** The merge of a run, taken by real git. */
function landed(run: QueuedRun, { repository }: Sides): string {
  expect(run.failure).toBeUndefined();
  const clone = join(temporaryFolder(), 'clone');
  git(repository, 'clone', '--quiet', repository, clone);
  const bundle = join(clone, 'result.bundle');
  writeFileSync(bundle, run.bundle ?? '');
  git(clone, '-c', 'fetch.fsckObjects=true', 'fetch', '--quiet', bundle, `skep/${run.ticketId}:result`);
  return clone;
}

describe('a conflict', () => {
  it('is resolved by the agent, and comes back as the merge of both sides', async () => {
    const both = conflicting('for f in a.txt b.txt; do grep -c "^<<<<<<< " $f; echo both > $f; done');
    const run = await resolved(both);
    const clone = landed(run, both);
    expect(git(clone, 'log', '-1', '--format=%P', 'result')).toBe(`${both.ours} ${both.theirs}`);
    expect([git(clone, 'show', 'result:a.txt'), git(clone, 'show', 'result:b.txt')]).toEqual(['both', 'both']);
    expect(git(clone, 'log', '-1', '--format=%an|%s|%(trailers:key=Skep-Ticket,valueonly)', 'result').trim()).toBe(
      `Skep agent|Merge ${both.theirs.slice(0, 12)} into skep/${run.ticketId}|${run.ticketId}`,
    );
    expect(run.result).toMatchObject({ base: both.ours, head: git(clone, 'rev-parse', 'result') });
    expect(run.log.toString()).toBe('1\n1\n');
    expect(git(clone, 'bundle', 'list-heads', join(clone, 'result.bundle')).split('\n')).toHaveLength(1);
    expect(git(clone, 'rev-list', '--count', 'result', `^${both.ours}`, `^${both.theirs}`)).toBe('1');
  });

  it('is told to the agent on stdin and by $SKEP_CONFLICT', async () => {
    const both = conflicting('cat > /tmp/in; for f in $SKEP_CONFLICT; do echo $f; echo both > $f; done; cat /tmp/in');
    const run = await resolved(both);
    const [first, second, ...json] = run.log.toString().split('\n');
    expect([first, second]).toEqual(['a.txt', 'b.txt']);
    expect(JSON.parse(json.join('\n'))).toMatchObject({
      id: run.ticketId,
      conflict: { ours: both.ours, theirs: both.theirs, files: ['a.txt', 'b.txt'] },
    });
  });

  it('may be committed by the agent itself', async () => {
    const both = conflicting('echo both | tee a.txt > b.txt; git add .; git commit -qm "By hand"; echo more > more');
    const clone = landed(await resolved(both), both);
    expect(git(clone, 'log', '-2', '--format=%s %p', '--first-parent', 'result')).toMatch(/^Merge .*\nBy hand \S+ \S+$/);
  });

  it.each([
    ['whose markers are left', 'echo both > a.txt', /^Conflict markers are left in b\.txt$/],
    ['whose markers are committed', 'echo both > a.txt; git add .; git commit -qm x', /^Conflict markers are left in b\.txt$/],
    ['whose merge was aborted', 'git merge --abort', /the merge was undone/],
    ['whose merge became an ordinary commit', 'git merge --abort; echo both > a.txt; git commit -qam x', /the merge was undone/],
    ['whose own side was given up', 'git merge --abort; git reset -q --hard "$(git rev-list --all | tail -1)"', /was undone/],
    ['at which the agent fails', 'exit 4', /exit code 4/],
  ])('%s is not handed in', async (_, line, says) => {
    const run = await resolved(conflicting(line));
    expect(run.failure).toMatchObject({ class: 'agent_failed', message: expect.stringMatching(says) as string });
    expect(run.bundle).toBeUndefined();
  });

  it('does not mind markers in a file that had no conflict', async () => {
    const doc = 'So it looks:\n<<<<<<< HEAD\n';
    const both = sides({ 'a.txt': 'ours\n', 'doc.md': doc }, { 'a.txt': 'theirs\n' }, ['echo both > a.txt']);
    expect(git(landed(await resolved(both), both), 'show', 'result:doc.md')).toBe(doc.trim());
  });

  it('of a file that one side has deleted is for the agent to decide', async () => {
    const both = sides({ 'a.txt': 'ours\n' }, {}, ['echo "$SKEP_CONFLICT"; rm -f a.txt']);
    git(both.repository, 'checkout', '--quiet', 'theirs');
    git(both.repository, 'rm', '--quiet', 'a.txt');
    git(both.repository, 'commit', '--quiet', '--message=gone');
    const run = await resolved({ ...both, theirs: git(both.repository, 'rev-parse', 'HEAD') });
    expect(run.log.toString()).toBe('a.txt\n');
    expect(git(landed(run, both), 'ls-tree', '--name-only', 'result').split('\n')).not.toContain('a.txt');
  });

  it('that is none any more is merged without the agent', async () => {
    const both = sides({ 'a.txt': 'ours\n' }, { 'b.txt': 'theirs\n' }, ['echo never; exit 1']);
    const run = await resolved(both);
    const clone = landed(run, both);
    expect(git(clone, 'log', '-1', '--format=%P', 'result')).toBe(`${both.ours} ${both.theirs}`);
    expect(run.log.toString()).toBe('');
    expect(run.events.map(({ payload }) => payload['phase'])).toEqual(['prepare_sandbox', 'check_out', 'collect', 'submit']);
  });

  it('between a commit and what it has already cannot be resolved', async () => {
    const both = conflicting('true');
    const run = await resolved({ ...both, theirs: git(both.repository, 'rev-parse', 'main') });
    expect(run.failure).toMatchObject({ class: 'invalid_task', message: expect.stringMatching(/nothing to merge/) as string });
  });
});
