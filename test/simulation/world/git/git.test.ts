import { expect, test } from 'vitest';
import { Content, readBundle, sha256 } from './content.ts';
import { type Copies, fakeBlobs, fakeDepot, fakeUpstream, type Outgoing } from './fakes.ts';
import { createGraph, type Graph } from './graph.ts';
import { bundleOf } from './repository.ts';

const at = new Date(1_000);
const idle = (): Promise<void> => Promise.resolve();

function child(graph: Graph, parent: string, files: Readonly<Record<string, string>>): string {
  const tree = new Map([...graph.filesOf(parent), ...Object.entries(files)]);
  return graph.commit({ tree, parents: [parent], message: JSON.stringify(files), at });
}

test('the same content is the same commit, and history is known', () => {
  const graph = createGraph();
  const a = child(graph, graph.root, { x: '1' });
  expect(child(graph, graph.root, { x: '1' })).toBe(a);
  const [b, c] = [child(graph, a, { b: '' }), child(graph, a, { c: '' })];
  expect(graph.mergeBase(b, c)).toBe(a);
  expect(graph.mergeBase(a, c)).toBe(a);
  expect([graph.isAncestor(a, b), graph.isAncestor(b, c), graph.isAncestor(c, c)]).toEqual([true, false, true]);
});

test('a merge takes both sides, and two changes of one file clash or are both kept, the same way from either side', () => {
  const graph = createGraph();
  const base = child(graph, graph.root, { shared: 'base' });
  const seen = Array.from({ length: 40 }, (_, i) => {
    const ours = child(graph, base, { shared: `base\nours ${i}`, [`o${i}`]: 'o' });
    const theirs = child(graph, base, { shared: `base\ntheirs ${i}`, t: 't' });
    const merged = graph.merge({ ours, theirs });
    expect(graph.merge({ ours: theirs, theirs: ours }).kind).toBe(merged.kind);
    return merged.kind === 'clean' ? [...graph.tree(merged.tree)].map(([path, text]) => `${path}: ${text}`) : merged.files;
  });
  const clashes = seen.filter(files => files.length === 1);
  expect(clashes.length).toBeGreaterThan(5);
  expect(new Set(clashes.flat())).toEqual(new Set(['shared']));
  const merged = seen.filter(files => files.length === 3);
  expect(merged.length).toBe(40 - clashes.length);
  expect(merged.every(files => files.some(file => /^shared: base\nours \d+\ntheirs \d+$/.test(file)))).toBe(true);
  const ahead = child(graph, base, { shared: 'new' });
  expect(graph.merge({ ours: base, theirs: ahead })).toEqual({ kind: 'clean', tree: graph.get(ahead).tree });
});

test('a bundle is taken in where what it builds on is, and refused where that is not or the branch is another', async () => {
  const graph = createGraph();
  const base = child(graph, graph.root, { a: '1' });
  const head = child(graph, base, { b: '2' });
  const bytes = bundleOf(graph, { branch: 'skep/T', head, not: [base] });
  expect(readBundle(bytes)?.commits).toEqual([head]);
  const copies: Copies = new Map();
  const repo = await fakeDepot(graph, { copies, folder: 'd', work: idle }).open('p');
  const receive = (branch: string) => repo.transfer.receive({ source: new Content(bytes), branch, ref: 'refs/skep/runs/1' });
  await expect(receive('skep/T')).rejects.toThrow('which is not here');
  copies.get('d/p')?.commits.add(base);
  await expect(receive('skep/U')).rejects.toThrow('does not hold skep/U');
  expect(await receive('skep/T')).toBe(head);
  expect(await repo.refs.read('refs/skep/runs/1')).toBe(head);
  expect((await repo.history.changes(base, head)).files).toMatchObject([{ path: 'b', status: 'added' }]);
  await expect(repo.history.mergeBase(head, graph.root)).rejects.toThrow('no commit');
});

test('a push swaps only what it expects, says so once, and may arrive without a word', async () => {
  const graph = createGraph();
  const [one, two] = [child(graph, graph.root, { a: '1' }), child(graph, graph.root, { a: '2' })];
  const pushes: Outgoing[] = [];
  const copies: Copies = new Map();
  let losesWord = true;
  const repositories = new Map([['r', { head: graph.root, branches: new Map<string, string>() }]]);
  const faults = { isAway: () => false, losesWord: () => losesWord };
  const upstream = fakeUpstream(graph, { repositories, copies, faults, work: idle, onPush: push => pushes.push(push) });
  const repo = await fakeDepot(graph, { copies, folder: 'd', work: idle }).open('p');
  copies.get(repo.gitDir)?.commits.add(one).add(two);
  const push = (commit: string, expected: string | undefined) =>
    upstream.publish('r', { gitDir: repo.gitDir, commit, branch: 'b', expected, signal: new AbortController().signal });
  await expect(push(one, undefined)).rejects.toThrow('was cut');
  losesWord = false;
  await push(one, undefined);
  await expect(push(two, undefined)).rejects.toThrow('b is at');
  await push(two, one);
  expect(pushes.map(({ from, to }) => [from, to])).toEqual([
    [undefined, one],
    [one, two],
  ]);
});

test('a blob that was not kept is not there', async () => {
  const kept = new Map<string, Buffer>();
  const blobs = fakeBlobs(kept, { work: idle });
  const bytes = Buffer.from('abc');
  const blob = await blobs.receive(new Content(bytes), 10);
  await expect(blobs.read(blob.sha256)).rejects.toThrow('Blob not found');
  await blob.keep();
  expect(await blobs.read(sha256(bytes))).toBeInstanceOf(Content);
  await expect(blobs.receive(new Content(bytes), 2)).rejects.toThrow('larger');
});
