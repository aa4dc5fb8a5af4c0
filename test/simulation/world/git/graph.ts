import { createHash } from 'node:crypto';
import type { CommitContent, Merge } from '../../../../src/support/repositories/depot/types.ts';

/** Content of each file by its path; lines are what two changes of one file are merged by. */
export type Tree = ReadonlyMap<string, string>;

export interface Commit {
  readonly id: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly at: Date;
  /** Itself and all that went before. */
  readonly history: ReadonlySet<string>;
}

/**
 * All commits that there are in a simulated world, wherever they lie: ids are of their content, so one store does for every copy. What a
 * copy of a repository has is another question, which fake repositories answer.
 */
export interface Graph {
  commit(content: Pick<CommitContent, 'parents' | 'at'> & { readonly tree: Tree | string; readonly message: string }): string;
  /** Throws for an id that no commit ever had. */
  get(commit: string): Commit;
  tree(id: string): Tree;
  filesOf(commit: string): Tree;
  isAncestor(ancestor: string, of: string): boolean;
  mergeBase(a: string, b: string): string | undefined;
  merge(sides: { readonly ours: string; readonly theirs: string }): Merge;
  /** Without files or parents. */
  readonly root: string;
}

export function createGraph(): Graph {
  const commits = new Map<string, Commit>();
  const trees = new Map<string, Tree>();

  function keepTree(tree: Tree): string {
    const entries = [...tree].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const id = sha1(JSON.stringify(entries));
    if (!trees.has(id)) trees.set(id, new Map(entries));
    return id;
  }

  function get(id: string): Commit {
    const commit = commits.get(id);
    if (commit === undefined) throw new Error(`there is no commit ${id}`);
    return commit;
  }

  function tree(id: string): Tree {
    const found = trees.get(id);
    if (found === undefined) throw new Error(`there is no tree ${id}`);
    return found;
  }

  const commit: Graph['commit'] = ({ tree: content, parents, message, at }) => {
    const treeId = typeof content === 'string' ? content : keepTree(content);
    const id = sha1(JSON.stringify([treeId, parents, message, at.getTime()]));
    if (commits.has(id)) return id;
    const history = new Set([id]);
    for (const parent of parents) for (const each of get(parent).history) history.add(each);
    commits.set(id, { id, tree: treeId, parents, at, history });
    return id;
  };

  const mergeBase: Graph['mergeBase'] = (a, b) => {
    const [one, other] = [get(a).history, get(b).history];
    let best: Commit | undefined;
    for (const id of one) {
      if (!other.has(id)) continue;
      const found = get(id);
      // The commit with the longest history holds whatever else both have, or stands beside it.
      if (
        best === undefined ||
        found.history.size > best.history.size ||
        (found.history.size === best.history.size && id < best.id)
      )
        best = found;
    }
    return best?.id;
  };

  const filesOf: Graph['filesOf'] = id => tree(get(id).tree);

  const merge: Graph['merge'] = ({ ours, theirs }) => {
    const base = mergeBase(ours, theirs);
    if (base === ours) return { kind: 'clean', tree: get(theirs).tree };
    if (base === theirs) return { kind: 'clean', tree: get(ours).tree };
    const merged = mergeTrees(base === undefined ? new Map() : filesOf(base), filesOf(ours), filesOf(theirs));
    return merged.conflicts.length > 0
      ? { kind: 'conflict', files: merged.conflicts }
      : { kind: 'clean', tree: keepTree(merged.tree) };
  };

  const root = commit({ tree: new Map(), parents: [], message: 'nothing', at: new Date(0) });
  return { commit, get, tree, filesOf, isAncestor: (ancestor, of) => get(of).history.has(ancestor), mergeBase, merge, root };
}

interface MergedTrees {
  readonly tree: Tree;
  readonly conflicts: readonly string[];
}

function mergeTrees(base: Tree, ours: Tree, theirs: Tree): MergedTrees {
  const tree = new Map<string, string>();
  const conflicts: string[] = [];
  for (const path of [...new Set([...ours.keys(), ...theirs.keys()])].toSorted()) {
    const merged = mergeFile(path, [base.get(path), ours.get(path), theirs.get(path)]);
    if (merged === 'conflict') conflicts.push(path);
    else if (merged !== undefined) tree.set(path, merged.content);
  }
  return { tree, conflicts };
}

type Sides = readonly [base: string | undefined, ours: string | undefined, theirs: string | undefined];

/** Two that changed one file clash in half of all cases, the same way whoever asks; otherwise both have their lines. */
function mergeFile(path: string, [base, ours, theirs]: Sides): { readonly content: string } | 'conflict' | undefined {
  const kept = ours === theirs || theirs === base ? ours : ours === base ? theirs : undefined;
  if (ours === theirs || theirs === base || ours === base) return kept === undefined ? undefined : { content: kept };
  if (ours === undefined || theirs === undefined) return 'conflict';
  if (Number.parseInt(sha1(`${path}\n${[ours, theirs].toSorted().join('\n--\n')}`).slice(0, 2), 16) < 128) return 'conflict';
  return { content: bothSides(ours, theirs) };
}

/** Every line of both, each once. */
export function bothSides(ours: string, theirs: string): string {
  return [...new Set([...ours.split('\n'), ...theirs.split('\n')])].filter(line => line !== '').join('\n');
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}
