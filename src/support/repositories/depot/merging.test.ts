import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { git, makeRepository, script, temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { createDepot } from './index.ts';
import type { BareRepository } from './index.ts';

let work: string;
let depot: BareRepository;
beforeEach(async () => {
  work = makeRepository({ 'a.txt': '1\n2\n3\n', 'b.txt': 'b\n', 'dir/c.txt': 'c\n' });
  depot = await (await createDepot({ folder: temporaryFolder(), clock: systemClock })).open('p');
});

/** A commit of these files on `from`, brought into the depot. `undefined` deletes. */
function committed(from: string, files: Readonly<Record<string, string | undefined>>): string {
  git(work, 'checkout', '--quiet', '--detach', from);
  for (const [name, content] of Object.entries(files)) {
    if (content === undefined) git(work, 'rm', '--quiet', name);
    else writeFileSync(join(work, name), content);
  }
  git(work, 'add', '--all');
  git(work, 'commit', '--quiet', '--allow-empty', '--message=x');
  return brought(git(work, 'rev-parse', 'HEAD'));
}

function brought(commit: string): string {
  git(work, 'push', '--quiet', depot.gitDir, `+${commit}:refs/skep/test/${commit}`);
  return commit;
}

const base = () => brought(git(work, 'rev-parse', 'main'));

describe('a merge', () => {
  it('of two sides that touched other files is clean and holds both', async () => {
    const ours = committed(base(), { 'a.txt': 'ours\n' });
    const theirs = committed(base(), { 'b.txt': 'theirs\n', 'new.txt': 'new\n' });
    const merged = await depot.merging.merge({ ours, theirs });
    if (merged.kind !== 'clean') throw new Error('not clean');
    const commit = await depot.merging.commit({
      tree: merged.tree,
      parents: [ours, theirs],
      message: 'Merge',
      at: new Date(1_000),
    });
    expect(Object.fromEntries(await depot.objects.readFiles(commit, ['a.txt', 'b.txt', 'new.txt', 'dir/c.txt']))).toEqual({
      'a.txt': 'ours\n',
      'b.txt': 'theirs\n',
      'new.txt': 'new\n',
      'dir/c.txt': 'c\n',
    });
    expect(await depot.history.isAncestor(theirs, commit)).toBe(true);
  });

  it('of two sides that changed the same line names the files, and only those', async () => {
    const ours = committed(base(), { 'a.txt': 'ours\n', 'dir/ü \n x': '1', 'b.txt': undefined });
    const theirs = committed(base(), { 'a.txt': 'theirs\n', 'dir/ü \n x': '2', 'b.txt': 'changed\n', z: 'z' });
    const merged = await depot.merging.merge({ ours, theirs });
    expect(merged).toEqual({ kind: 'conflict', files: ['a.txt', 'b.txt', 'dir/ü \n x'] });
  });

  it('with an ancestor is the tree of the one that holds the other', async () => {
    const ours = base();
    const theirs = committed(ours, { 'a.txt': 'theirs\n' });
    const tree = await depot.objects.treeOf(theirs);
    expect(await depot.merging.merge({ ours, theirs })).toEqual({ kind: 'clean', tree });
    expect(await depot.merging.merge({ ours: theirs, theirs: ours })).toEqual({ kind: 'clean', tree });
    expect(await depot.merging.merge({ ours: theirs, theirs })).toEqual({ kind: 'clean', tree });
  });

  it('with the empty commit that work without a repository starts from is possible, also without a common one', async () => {
    const root = await depot.merging.rootCommit();
    const theirs = base();
    expect(await depot.merging.merge({ ours: root, theirs })).toEqual({
      kind: 'clean',
      tree: await depot.objects.treeOf(theirs),
    });
    expect(await depot.history.mergeBase(root, theirs)).toBeUndefined();
  });

  it('runs no driver, filter or textconv that attributes name', async () => {
    const marker = join(temporaryFolder(), 'ran');
    const program = join(makeRepository({ x: script(`touch ${marker}`) }), 'x');
    const attributes = '* merge=evil filter=evil diff=evil\n';
    const start = committed(base(), { '.gitattributes': attributes });
    git(work, 'config', 'merge.evil.driver', program);
    git(work, 'config', 'diff.evil.textconv', program);
    const ours = committed(start, { 'a.txt': 'ours\n' });
    const theirs = committed(start, { 'a.txt': 'theirs\n' });
    expect((await depot.merging.merge({ ours, theirs })).kind).toBe('conflict');
    expect(await depot.history.diff(ours, theirs, { bytesMax: 10_000 })).toContain('-ours');
    expect(readdirSync(join(marker, '..'))).toEqual([]);
  });

  it('of a folder and a link, of a file and a folder, ends in a conflict and no more', async () => {
    const start = base();
    git(work, 'checkout', '--quiet', '--detach', start);
    git(work, 'rm', '--quiet', '-r', 'dir');
    symlinkSync('/etc', join(work, 'dir'));
    git(work, 'add', '--all');
    git(work, 'commit', '--quiet', '--message=link');
    const ours = brought(git(work, 'rev-parse', 'HEAD'));
    git(work, 'checkout', '--quiet', '--force', '--detach', start);
    const theirs = committed(start, { 'dir/c.txt': 'changed\n' });
    expect((await depot.merging.merge({ ours, theirs })).kind).toBe('conflict');
  });

  it('of a commit that is not here is a fault', async () => {
    await expect(depot.merging.merge({ ours: base(), theirs: '1'.repeat(40) })).rejects.toMatchObject({
      code: 'repository_unavailable',
    });
    await expect(depot.merging.merge({ ours: base(), theirs: '--help' })).rejects.toThrow('no id of an object');
  });
});

describe('a commit', () => {
  it('of the same content is the same, whoever makes it and when', async () => {
    const other = await (await createDepot({ folder: temporaryFolder(), clock: systemClock })).open('q');
    const roots = await Promise.all([depot, other, depot].map(each => each.merging.rootCommit()));
    expect(new Set(roots)).toEqual(new Set([roots[0]]));
    expect(git(depot.gitDir, 'log', '-1', '--format=%an <%ae> %at %cn <%ce> %ct %s', roots[0] ?? '')).toBe(
      'Skep <skep@localhost> 0 Skep <skep@localhost> 0 Begin',
    );
    expect(await depot.objects.listFiles(roots[0] ?? '', { max: 10 })).toEqual({ files: [], isComplete: true });
  });

  it('keeps its message, its author and its parents, whatever stands in them', async () => {
    const parent = base();
    const commit = await depot.merging.commit({
      tree: await depot.objects.treeOf(parent),
      parents: [parent],
      message: '# Merge "x"\n\n$(id) `id` \u0000ü\n\nSkep-Ticket: TKT-001\n\n',
      at: new Date(1_700_000_000_999),
      author: { name: 'A <evil>\nB', email: 'a@b>\n' },
    });
    expect(git(depot.gitDir, 'log', '-1', '--format=%P|%an|%ae|%cn|%at|%B', commit)).toBe(
      `${parent}|A evilB|a@b|Skep|1700000000|# Merge "x"\n\n$(id) \`id\` ü\n\nSkep-Ticket: TKT-001`,
    );
    git(depot.gitDir, 'fsck', '--strict');
  });

  it('is made in a repository of SHA-256 too', async () => {
    const modern = await (await createDepot({ folder: temporaryFolder(), clock: systemClock })).open('q', 'sha256');
    const root = await modern.merging.rootCommit();
    const tree = await modern.objects.treeOf(root);
    const next = await modern.merging.commit({ tree, parents: [root], message: 'n', at: new Date(0) });
    expect(await modern.merging.merge({ ours: root, theirs: next })).toEqual({ kind: 'clean', tree });
  });
});
