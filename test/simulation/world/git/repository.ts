import { Fault } from '../../../../src/kernel/fault.ts';
import type {
  BareRepository,
  FileChange,
  History,
  Merging,
  Objects,
  Transfer,
} from '../../../../src/support/repositories/depot/types.ts';
import { bytesOf, Content, readBundle, writeBundle } from './content.ts';
import type { Graph, Tree } from './graph.ts';

/** One copy of a repository: which commits it has, and its refs. */
export interface Copy {
  readonly gitDir: string;
  readonly commits: Set<string>;
  readonly refs: Map<string, string>;
}

export function emptyCopy(gitDir: string): Copy {
  return { gitDir, commits: new Set(), refs: new Map() };
}

/** A commit with all before it. */
export function takeIn(graph: Graph, copy: Copy, commit: string): void {
  for (const each of graph.get(commit).history) copy.commits.add(each);
}

const mode = '100644';

/** A fake BareRepository over one copy. `work` takes the time that git would. */
export function fakeRepository(graph: Graph, copy: Copy, work: () => Promise<void>): BareRepository {
  return {
    gitDir: copy.gitDir,
    lock: `${copy.gitDir}/lock`,
    objectFormat: 'sha1',
    objects: objectsOf(graph, copy),
    history: historyOf(graph, copy, work),
    merging: mergingOf(graph, copy, work),
    refs: {
      read: ref => Promise.resolve(copy.refs.get(ref)),
      async set(ref, commit) {
        await need(copy, commit);
        await work();
        copy.refs.set(ref, commit);
      },
      delete(ref) {
        copy.refs.delete(ref);
        return Promise.resolve();
      },
    },
    transfer: transferOf(graph, copy, work),
  };
}

function objectsOf(graph: Graph, copy: Copy): Objects {
  const files = async (commit: string): Promise<Tree> => {
    await need(copy, commit);
    return graph.filesOf(commit);
  };
  return {
    has: (...commits) => Promise.resolve(commits.every(commit => copy.commits.has(commit))),
    async treeOf(commit) {
      await need(copy, commit);
      return graph.get(commit).tree;
    },
    async timeOf(commit) {
      await need(copy, commit);
      return graph.get(commit).at;
    },
    async listFiles(commit) {
      const tree = await files(commit);
      return { files: [...tree].map(([path, content]) => ({ path, mode, size: content.length })), isComplete: true };
    },
    async readFiles(commit, paths) {
      const tree = await files(commit);
      return new Map(paths.flatMap(path => (tree.has(path) ? [[path, tree.get(path) ?? '']] : [])));
    },
    notes: () => Promise.resolve([]),
  };
}

function historyOf(graph: Graph, copy: Copy, work: () => Promise<void>): History {
  return {
    async isAncestor(ancestor, of) {
      await need(copy, ancestor, of);
      return graph.isAncestor(ancestor, of);
    },
    async mergeBase(a, b) {
      await need(copy, a, b);
      return graph.mergeBase(a, b);
    },
    async changes(base, head) {
      await need(copy, base, head);
      await work();
      return { files: changesBetween(graph.filesOf(base), graph.filesOf(head)), isComplete: true };
    },
    diff: () => Promise.reject(new Error('nobody looks at diffs here')),
    log: () => Promise.reject(new Error('nobody looks at logs here')),
  };
}

function changesBetween(base: Tree, head: Tree): FileChange[] {
  const changes: FileChange[] = [];
  for (const path of [...new Set([...base.keys(), ...head.keys()])].toSorted()) {
    const [before, after] = [base.get(path), head.get(path)];
    if (before === after) continue;
    const status = before === undefined ? 'added' : after === undefined ? 'deleted' : 'modified';
    changes.push({
      path,
      status,
      oldMode: before === undefined ? undefined : mode,
      mode: after === undefined ? undefined : mode,
    });
  }
  return changes;
}

function mergingOf(graph: Graph, copy: Copy, work: () => Promise<void>): Merging {
  return {
    async merge(sides) {
      await need(copy, sides.ours, sides.theirs);
      await work();
      return graph.merge(sides);
    },
    async commit(content) {
      await need(copy, ...content.parents);
      const id = graph.commit(content);
      copy.commits.add(id);
      return id;
    },
    rootCommit() {
      copy.commits.add(graph.root);
      return Promise.resolve(graph.root);
    },
  };
}

function transferOf(graph: Graph, copy: Copy, work: () => Promise<void>): Transfer {
  return {
    async receive({ source, branch, ref }) {
      await work();
      const bundle = readBundle(bytesOf(source));
      if (bundle === undefined || bundle.branch !== branch)
        throw new Fault('invalid_bundle', { message: `The bundle does not hold ${branch} alone` });
      const held = new Set([...copy.commits, ...bundle.commits]);
      const missing = bundle.commits.flatMap(id => graph.get(id).parents).find(parent => !held.has(parent));
      if (missing !== undefined || !held.has(bundle.head))
        throw new Fault('invalid_bundle', { message: `The bundle builds on ${missing ?? bundle.head}, which is not here` });
      for (const id of bundle.commits) copy.commits.add(id);
      copy.refs.set(ref, bundle.head);
      return bundle.head;
    },
    bundle({ branch, head, not }) {
      return new Content(bundleOf(graph, { branch, head, not }));
    },
    uploadPack: () => Promise.reject(new Error('workers of the simulated world fetch otherwise')),
  };
}

/** The commits of `head` that those of `not` do not hold. */
export function bundleOf(
  graph: Graph,
  { branch, head, not }: { readonly branch: string; readonly head: string; readonly not: readonly string[] },
): Buffer {
  const commits = [...graph.get(head).history].filter(id => !not.some(known => graph.isAncestor(id, known)));
  return writeBundle({ branch, head, commits: commits.toSorted() });
}

/** Rejects as git does. */
function need(copy: Copy, ...commits: readonly string[]): Promise<void> {
  const missing = commits.find(commit => !copy.commits.has(commit));
  return missing === undefined ? Promise.resolve() : Promise.reject(new Error(`fatal: ${copy.gitDir} has no commit ${missing}`));
}
