import { becomes, changesOf, type Commit } from '../../oracle/types.ts';
import type { UserRepository } from '../git/fakes.ts';
import type { World } from '../parts.ts';

/** Somebody with a clone of the user's repository, who takes a branch of ours for one to work on. */
export interface Stranger {
  readonly saw: (commit: Commit) => void;
  /** Branches on which something of theirs lies. */
  readonly branches: () => string[];
  /** Takes it off again. */
  leave(branch: string): void;
}

interface StrangerParts {
  readonly world: World;
  readonly repository: UserRepository;
}

/** The longest until they push to a branch that they could know of, milliseconds. */
const afterMsMax = 1_000;

/** Puts a commit on a branch, or makes it where there is none yet. */
export function createStranger({ world, repository: { head, branches } }: StrangerParts): Stranger {
  const dice = world.dice.of('stranger');
  const pushed = new Map<string, { readonly commit: string; readonly before: string | undefined }>();

  function push(branch: string): void {
    if (pushed.has(branch) || !world.isFaulty()) return;
    const before = branches.get(branch);
    const parent = before ?? head;
    const tree = new Map([...world.graph.filesOf(parent), ['notes', 'of a stranger']]);
    const at = new Date(Math.floor(world.scheduler.now() / 1_000) * 1_000);
    const commit = world.graph.commit({ tree, parents: [parent], message: 'notes', at });
    pushed.set(branch, { commit, before });
    branches.set(branch, commit);
    world.strikes.count('stranger');
    world.trace.say('stranger', `pushes to ${branch}`);
  }

  return {
    saw(commit) {
      for (const change of changesOf(commit, 'trunks')) {
        const { before, after } = change;
        if (before === undefined || after === undefined) continue;
        const isNews = becomes(change, 'ready') || before.published_sha !== after.published_sha;
        if (!isNews || !world.isFaulty() || !dice.chance(world.options.faults.stranger)) continue;
        world.scheduler.after(dice.between(0, afterMsMax), () => push(after.branch));
      }
    },
    branches: () => [...pushed.keys()],
    leave(branch) {
      const { commit, before } = pushed.get(branch) ?? {};
      pushed.delete(branch);
      if (commit === undefined || branches.get(branch) !== commit) return;
      if (before === undefined) branches.delete(branch);
      else branches.set(branch, before);
      world.trace.say('stranger', `leaves ${branch}`);
    },
  };
}
