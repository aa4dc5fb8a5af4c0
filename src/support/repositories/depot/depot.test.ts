import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { createDepot } from './index.ts';
import type { BareRepository } from './index.ts';

const project = '0198a2b4-0000-7000-8000-000000000001';
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const opened = async (format?: 'sha1' | 'sha256'): Promise<BareRepository> =>
  (await createDepot({ folder, clock: systemClock })).open(project, format);

describe('the depot', () => {
  it('makes the repository of a project at the first opening, and finds it at the second', async () => {
    const first = await opened();
    expect(first.gitDir).toBe(join(folder, `${project}.git`));
    const root = await first.merging.rootCommit();
    await first.refs.set('refs/skep/trunks/1', root);
    const second = await opened();
    expect(await second.refs.read('refs/skep/trunks/1')).toBe(root);
  });

  it('is made once by many who open it at once, of this process and of others, and leaves nothing beside it', async () => {
    const depots = await Promise.all([1, 2, 3].map(() => createDepot({ folder, clock: systemClock })));
    const all = await Promise.all([...depots, ...depots].map(depot => depot.open(project, 'sha256')));
    expect(new Set(all.map(each => each.objectFormat))).toEqual(new Set(['sha256']));
    expect(readdirSync(folder).sort()).toEqual([`${project}.git`, 'gitconfig']);
  });

  it('makes it anew when it was removed', async () => {
    const depot = await createDepot({ folder, clock: systemClock });
    const { gitDir } = await depot.open(project);
    rmSync(gitDir, { recursive: true });
    expect(await (await depot.open(project)).merging.rootCommit()).toMatch(/^[0-9a-f]{40}$/);
  });

  it('keeps the format that it began with', async () => {
    const { merging } = await opened('sha256');
    expect(await merging.rootCommit()).toMatch(/^[0-9a-f]{64}$/);
    expect((await opened()).objectFormat).toBe('sha256');
    await expect(opened('sha1')).rejects.toMatchObject({ code: 'repository_unavailable' });
  });

  it.each(['', '../x', 'a/b', '-x', 'a.git', 'x\n'])('takes no %j for the id of a project', async id => {
    const depot = await createDepot({ folder, clock: systemClock });
    await expect(depot.open(id)).rejects.toThrow('no id of a project');
  });

  it('removes what a killed process left half-received a day ago, and nothing younger', async () => {
    const { gitDir } = await opened();
    for (const name of ['incoming-old', 'incoming-new']) mkdirSync(join(gitDir, name));
    utimesSync(join(gitDir, 'incoming-old'), 1, 1);
    await opened();
    await expect.poll(() => readdirSync(gitDir).filter(name => name.startsWith('incoming-'))).toEqual(['incoming-new']);
  });
});

describe('refs', () => {
  it('are set, moved, read and deleted, and to delete what is not there is fine', async () => {
    const { refs, merging } = await opened();
    const root = await merging.rootCommit();
    const next = await merging.commit({ tree: await treeOf(root), parents: [root], message: 'next', at: new Date(5_000) });
    expect(await refs.read('refs/skep/runs/a')).toBeUndefined();
    await refs.set('refs/skep/runs/a', root);
    await refs.set('refs/skep/runs/a', next);
    expect(await refs.read('refs/skep/runs/a')).toBe(next);
    await refs.delete('refs/skep/runs/a');
    await refs.delete('refs/skep/runs/a');
    expect(await refs.read('refs/skep/runs/a')).toBeUndefined();
  });

  it.each([
    'refs/heads/main',
    'HEAD',
    'refs/skep/../heads/x',
    'refs/skep/-x',
    'refs/skep/a.lock',
    'refs/skep/`id`',
    'refs/skep/a b',
  ])('are not named %s', async ref => {
    const { refs, merging } = await opened();
    const root = await merging.rootCommit();
    await expect(refs.set(ref, root)).rejects.toThrow('no ref below refs/skep/');
  });

  it('can be set after a git was killed that held their locks', async () => {
    const { refs, merging, gitDir } = await opened();
    const root = await merging.rootCommit();
    await refs.set('refs/skep/runs/a', root);
    writeFileSync(join(gitDir, 'refs/skep/runs/a.lock'), '');
    writeFileSync(join(gitDir, 'packed-refs.lock'), '');
    const next = await merging.commit({ tree: await treeOf(root), parents: [root], message: 'next', at: new Date(5_000) });
    await refs.set('refs/skep/runs/a', next);
    await refs.delete('refs/skep/runs/a');
    expect(await refs.read('refs/skep/runs/a')).toBeUndefined();
  });

  it('name commits that are here', async () => {
    const { refs } = await opened();
    await expect(refs.set('refs/skep/runs/a', '1'.repeat(40))).rejects.toMatchObject({ code: 'repository_unavailable' });
    await expect(refs.set('refs/skep/runs/a', '--stdin')).rejects.toThrow('no id of an object');
  });
});

async function treeOf(commit: string): Promise<string> {
  return (await opened()).objects.treeOf(commit);
}

describe('a repository whose folder is bad', () => {
  it('is said to be damaged', async () => {
    mkdirSync(join(folder, `${project}.git`));
    writeFileSync(join(folder, `${project}.git/HEAD`), 'nonsense');
    await expect(opened()).rejects.toThrow('damaged');
  });
});
