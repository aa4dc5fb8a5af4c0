import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { git, makeRepository, temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { createDepot } from './index.ts';
import type { BareRepository } from './index.ts';

let work: string;
let depot: BareRepository;
beforeEach(async () => {
  work = makeRepository({ 'a.txt': 'one\ntwo\nthree\nfour\n', 'b.txt': 'b\n', 'dir/c.txt': 'c\n' });
  depot = await (await createDepot({ folder: temporaryFolder(), clock: systemClock })).open('p');
});

function put(name: string, content: string): void {
  mkdirSync(join(work, name, '..'), { recursive: true });
  writeFileSync(join(work, name), content);
}

function submodule(digit: string): void {
  mkdirSync(join(work, 'sub'), { recursive: true });
  git(work, 'update-index', '--add', '--cacheinfo', `160000,${digit.repeat(40)},sub`);
}

/** Commits what is there, and brings it into the depot. */
function commit(message = 'x'): string {
  git(work, 'add', '--all');
  git(work, 'commit', '--quiet', '--allow-empty', `--message=${message}`);
  const head = git(work, 'rev-parse', 'HEAD');
  git(work, 'push', '--quiet', depot.gitDir, `+HEAD:refs/skep/test/${head}`);
  return head;
}

describe('the files of a commit', () => {
  it('are listed with mode and size, links and submodules among them, up to a limit that is told', async () => {
    chmodSync(join(work, 'b.txt'), 0o755);
    symlinkSync('/etc/passwd', join(work, 'link'));
    submodule('1');
    put('tab\there "q"', 'x');
    const head = commit();
    expect(await depot.objects.listFiles(head, { max: 100 })).toEqual({
      isComplete: true,
      files: [
        { path: 'a.txt', mode: '100644', size: 19 },
        { path: 'b.txt', mode: '100755', size: 2 },
        { path: 'dir/c.txt', mode: '100644', size: 2 },
        { path: 'link', mode: '120000', size: 11 },
        { path: 'sub', mode: '160000', size: 0 },
        { path: 'tab\there "q"', mode: '100644', size: 1 },
      ],
    });
    const first = await depot.objects.listFiles(head, { max: 2 });
    expect([first.files.map(({ path }) => path), first.isComplete]).toEqual([['a.txt', 'b.txt'], false]);
  });

  it('are read where they are regular and not large, by their exact path', async () => {
    symlinkSync('/etc/passwd', join(work, 'link'));
    put('large', 'x'.repeat(262_145));
    put('just', 'x'.repeat(262_144));
    put('empty', '');
    put(':(glob)*', 'magic');
    const head = commit();
    const asked = [
      'a.txt',
      'dir',
      'dir/',
      'dir/c.txt',
      'link',
      'large',
      'just',
      'empty',
      ':(glob)*',
      '*',
      'gone',
      '',
      '--help',
      '../x',
    ];
    const read = await depot.objects.readFiles(head, asked);
    expect([...read.keys()].sort()).toEqual([':(glob)*', 'a.txt', 'dir/c.txt', 'empty', 'just']);
    expect([read.get('a.txt'), read.get('empty'), read.get(':(glob)*'), read.get('just')?.length]).toEqual([
      'one\ntwo\nthree\nfour\n',
      '',
      'magic',
      262_144,
    ]);
    expect(await depot.objects.readFiles(head, [])).toEqual(new Map());
  });

  it('are read by many paths at once', async () => {
    const names = Array.from({ length: 450 }, (_, i) => `many/${i}`);
    for (const name of names) put(name, name);
    const read = await depot.objects.readFiles(commit(), names);
    expect([read.size, read.get('many/449')]).toEqual([450, 'many/449']);
  });

  it('make notes of submodules and of Git LFS', async () => {
    expect(await depot.objects.notes(commit())).toEqual([]);
    submodule('1');
    put('.gitattributes', '# *.txt filter=lfs\n');
    expect(await depot.objects.notes(commit())).toEqual(['There are submodules, which stay empty in the sandboxes: sub']);
    put('dir/.gitattributes', '*.psd filter=lfs diff=lfs merge=lfs -text\n');
    expect(await depot.objects.notes(commit())).toHaveLength(2);
  });

  it('are asked of commits that are here', async () => {
    expect([await depot.objects.has(commit()), await depot.objects.has('1'.repeat(40))]).toEqual([true, false]);
    await expect(depot.objects.treeOf('1'.repeat(40))).rejects.toMatchObject({ code: 'repository_unavailable' });
    await expect(depot.objects.has('HEAD')).rejects.toThrow('no id of an object');
  });
});

describe('what changed', () => {
  it('is told by status and mode, renames, links and submodules among it', async () => {
    const start = commit();
    submodule('1');
    const before = commit();
    git(work, 'mv', 'a.txt', 'moved.txt');
    put('new\nline', 'x');
    put('dir/c.txt', 'changed\n');
    git(work, 'rm', '--quiet', '--force', 'b.txt');
    symlinkSync('/etc/passwd', join(work, 'b.txt'));
    submodule('2');
    const after = commit();
    expect(await depot.history.changes(before, after)).toEqual({
      isComplete: true,
      files: [
        { path: 'b.txt', status: 'modified', oldMode: '100644', mode: '120000' },
        { path: 'dir/c.txt', status: 'modified', oldMode: '100644', mode: '100644' },
        { path: 'moved.txt', status: 'renamed', oldPath: 'a.txt', oldMode: '100644', mode: '100644' },
        { path: 'new\nline', status: 'added', oldMode: undefined, mode: '100644' },
        { path: 'sub', status: 'modified', oldMode: '160000', mode: '160000' },
      ],
    });
    expect((await depot.history.changes(after, start)).files.find(({ path }) => path === 'sub')).toMatchObject({
      status: 'deleted',
    });
    expect(await depot.history.changes(start, start)).toEqual({ files: [], isComplete: true });
  });

  it('is told to be incomplete where too many files changed', async () => {
    const start = commit();
    const blob = git(work, 'rev-parse', 'HEAD:b.txt');
    const entries = Array.from({ length: 20_001 }, (_, i) => `100644 ${blob}\tf${i}\n`).join('');
    execFileSync('git', ['-C', work, 'update-index', '--index-info'], { input: entries });
    git(work, 'commit', '--quiet', '--message=many');
    const head = git(work, 'rev-parse', 'HEAD');
    git(work, 'push', '--quiet', depot.gitDir, `+HEAD:refs/skep/test/${head}`);
    const changes = await depot.history.changes(start, head);
    expect([changes.files.length, changes.isComplete]).toEqual([20_000, false]);
  });

  it('is shown as a diff in which nothing hides, cut where it is too long', async () => {
    const before = commit();
    put('a.txt', 'one\n\u001b[31mred\u202e\u200b\nthree\r\nfour\n');
    const after = commit();
    const diff = await depot.history.diff(before, after, { bytesMax: 100_000 });
    expect(diff).toContain('-two\n-three\n+<U+001B>[31mred<U+202E><U+200B>\n+three^M\n');
    put('long', 'line\n'.repeat(1_000));
    const cut = await depot.history.diff(before, commit(), { bytesMax: 1_000 });
    expect(cut).toMatch(/\n\+line\n\[cut here: the diff is longer than 1000 bytes\]\n$/);
    expect(cut.length).toBeLessThan(1_100);
  });

  it('is logged a line for each commit, with a graph, without escape sequences', async () => {
    const start = commit('start');
    commit('second \u001b[2Jx');
    git(work, 'checkout', '--quiet', '-b', 'side', start);
    commit('side');
    git(work, 'merge', '--quiet', '--no-ff', '-m', 'merged', 'main');
    const head = commit('last');
    const graph = await depot.history.log(start, head, { graph: true, max: 10 });
    expect(graph).toMatch(/^\* [0-9a-f]+ last\n\* {3}[0-9a-f]+ merged\n\|\\ {2}\n/);
    expect(graph).toContain('second');
    expect(graph).not.toMatch(/\u001b/);
    expect((await depot.history.log(start, head, { graph: false, max: 2 })).split('\n')).toHaveLength(2);
    expect(await depot.history.log(head, start, { graph: true, max: 2 })).toBe('');
  });

  it('follows from ancestors', async () => {
    const start = commit();
    const left = commit();
    git(work, 'checkout', '--quiet', '--detach', start);
    put('x', 'x');
    const right = commit();
    expect(await depot.history.mergeBase(left, right)).toBe(start);
    const asked = await Promise.all([
      depot.history.isAncestor(start, left),
      depot.history.isAncestor(left, start),
      depot.history.isAncestor(left, left),
    ]);
    expect(asked).toEqual([true, false, true]);
    await expect(depot.history.isAncestor('1'.repeat(40), left)).rejects.toMatchObject({ code: 'repository_unavailable' });
  });
});
