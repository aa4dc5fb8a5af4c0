import { Fault } from '../../../../src/kernel/fault.ts';
import type { BlobStore } from '../../../../src/stages/runs/index.ts';
import type { Depot, Upstream } from '../../../../src/support/repositories/index.ts';
import { bytesOf, Content, sha256 } from './content.ts';
import { type Copy, emptyCopy, fakeRepository, takeIn } from './repository.ts';
import type { Graph } from './graph.ts';

/** Where copies of repositories lie; a folder that goes with its machine, or that all servers share. */
export type Copies = Map<string, Copy>;

export interface Ways {
  /** Takes the time that a disk or a git takes, on the machine that asks. */
  readonly work: () => Promise<void>;
}

/** A fake Depot over the copies of one folder. */
export function fakeDepot(
  graph: Graph,
  { copies, folder, work }: Ways & { readonly copies: Copies; readonly folder: string },
): Depot {
  return {
    async open(projectId) {
      const gitDir = `${folder}/${projectId}`;
      await Promise.resolve();
      const copy = copies.get(gitDir) ?? emptyCopy(gitDir);
      copies.set(gitDir, copy);
      return fakeRepository(graph, copy, work);
    },
  };
}

/** The bytes of a BlobStore, which all servers share. */
export type KeptBlobs = Map<string, Buffer>;

/** A fake BlobStore: what was not kept when its server dies is gone. */
export function fakeBlobs(kept: KeptBlobs, { work }: Ways): BlobStore {
  return {
    async receive(source, bytesMax) {
      const bytes = bytesOf(source);
      await work();
      if (bytes.length > bytesMax) throw new Fault('too_large');
      const name = sha256(bytes);
      return {
        sha256: name,
        size: bytes.length,
        head: bytes.subarray(0, 64),
        async keep() {
          await work();
          kept.set(name, bytes);
        },
        discard: () => Promise.resolve(),
      };
    },
    read(name) {
      const bytes = kept.get(name);
      return bytes === undefined ? Promise.reject(new Fault('blob_not_found')) : Promise.resolve(new Content(bytes));
    },
  };
}

/** A user's own repository. */
export interface UserRepository {
  readonly head: string;
  readonly branches: Map<string, string>;
}

export interface UpstreamFaults {
  /** Does not answer now. */
  readonly isAway: () => boolean;
  /** Takes the push, and the connection is cut before it says so. */
  readonly losesWord: () => boolean;
}

export interface Outgoing {
  readonly repository: string;
  readonly branch: string;
  readonly from: string | undefined;
  readonly to: string;
}

interface UpstreamOptions extends Ways {
  readonly repositories: ReadonlyMap<string, UserRepository>;
  readonly copies: Copies;
  readonly faults: UpstreamFaults;
  /** Sees each branch that moves. */
  readonly onPush: (push: Outgoing) => void;
}

/** A fake Upstream: a push is compare-and-swap on the ref, as the real one. */
export function fakeUpstream(graph: Graph, options: UpstreamOptions): Upstream {
  const { repositories, copies, faults, work, onPush } = options;

  async function reach(name: string): Promise<UserRepository> {
    await work();
    const found = repositories.get(name);
    if (found === undefined || faults.isAway()) throw new Fault('repository_unavailable', { message: `${name} does not answer` });
    return found;
  }

  function copyAt(gitDir: string): Copy {
    const copy = copies.get(gitDir) ?? emptyCopy(gitDir);
    copies.set(gitDir, copy);
    return copy;
  }

  return {
    async look(name, { branch }) {
      const { head, branches } = await reach(name);
      return { commit: head, objectFormat: 'sha1', branchAt: branches.get(branch), isWritable: true, notes: [] };
    },
    async fetch(name, { gitDir, ref }) {
      const { head } = await reach(name);
      const copy = copyAt(gitDir);
      takeIn(graph, copy, head);
      copy.refs.set(ref, head);
      return head;
    },
    async publish(name, { gitDir, commit, branch, expected }) {
      const { branches } = await reach(name);
      if (!copyAt(gitDir).commits.has(commit)) throw new Error(`fatal: ${gitDir} has no commit ${commit}`);
      const present = branches.get(branch);
      if (present !== commit) {
        if (present !== expected)
          throw new Fault('branch_exists', {
            message: `${branch} is at ${present ?? 'nothing'} and not at ${expected ?? 'nothing'}`,
          });
        branches.set(branch, commit);
        onPush({ repository: name, branch, from: present, to: commit });
      }
      await work();
      if (faults.losesWord()) throw new Fault('repository_unavailable', { message: 'the connection was cut' });
    },
  };
}
