import type { Graph } from '../world/git/graph.ts';
import type { Outgoing } from '../world/git/fakes.ts';
import { markOf } from '../world/worker/agent.ts';
import {
  becomes,
  changesOf,
  type ChangeFacts,
  type Commit,
  type Rule,
  type Snapshot,
  type TrunkFacts,
  type Violate,
} from './types.ts';

export interface Landing extends Rule {
  /** A worker ran the checks on this commit, and they were green. */
  checked(commit: string): void;
  /** A branch of the user's repository has moved. */
  pushed(push: Outgoing): void;
  readonly count: number;
}

interface LandingParts {
  readonly graph: Graph;
  readonly hasChecks: boolean;
  readonly violate: Violate;
}

/**
 * What lands is what was checked, once, and of a run that was accepted: the trunk only grows, by one change at a time, merged into what
 * it was. What is pushed is what the trunk was, and never takes anything back.
 */
export function createLanding({ graph, hasChecks, violate }: LandingParts): Landing {
  const green = new Map<string, string[]>();
  const landed = new Map<string, string>();
  const heads = new Set<string>();

  function look(commit: Commit, now: Snapshot): void {
    const changes = changesOf(commit, 'changes');
    for (const { before, after } of changesOf(commit, 'trunks')) {
      if (after === undefined || after.head_sha === null || after.head_sha === (before?.head_sha ?? null)) continue;
      heads.add(after.head_sha);
      const isBased = before?.head_sha === null || before?.state === 'preparing';
      if (!isBased && before !== undefined && before.head_sha !== null)
        land(before.head_sha, after, {
          now,
          merged: changes.flatMap(change => (becomes(change, 'merged') && change.after ? [change.after] : [])),
        });
    }
    for (const { before, after } of changesOf(commit, 'trunks')) refuseTakenBack(before?.published_sha, after);
    for (const change of changes)
      if (becomes(change, 'merged') && landed.get(change.after?.ticket_id ?? '') !== change.after?.merge_sha)
        violate('work lands with the trunk', `the change of ${change.after?.ticket_id} is merged, and its trunk has not moved`);
    for (const { before, after } of changesOf(commit, 'tickets'))
      if (after?.status === 'completed' && before?.status !== 'completed' && after.type !== 'epic' && !landed.has(after.id))
        violate('work lands with the trunk', `${after.id} is completed, and none of its work has landed`);
  }

  /** What a late push tells is not what is there. */
  function refuseTakenBack(before: string | null | undefined, after: TrunkFacts | undefined): void {
    const now = after?.published_sha ?? null;
    if (typeof before !== 'string' || now === null || now === before) return;
    if (graph.isAncestor(now, before))
      violate('the word of a push is not taken back', `${after?.branch} was published at ${before}, and is said to be at ${now}`);
  }

  function land(from: string, trunk: TrunkFacts, { now, merged }: { now: Snapshot; merged: readonly ChangeFacts[] }): void {
    const to = trunk.head_sha ?? '';
    const [change, another] = merged.filter(each => each.trunk_id === trunk.id);
    if (change === undefined || another !== undefined || change.merge_sha !== to)
      return violate('the trunk only grows', `the trunk went to ${to} without one change that lands there`);
    const { parents, tree } = graph.get(to);
    if (parents[0] !== from)
      violate('the trunk only grows', `${change.ticket_id} landed on ${parents[0]}, and the trunk was at ${from}`);
    if (parents[1] !== change.head_sha) violate('what was reviewed is what lands', `${change.ticket_id} landed another head`);
    if (hasChecks && !wasGreen(tree, from, change.head_sha))
      violate('what was reviewed is what lands', `what landed of ${change.ticket_id} was never seen green on ${from}`);
    const earlier = landed.get(change.ticket_id);
    if (earlier !== undefined) violate('work lands once', `${change.ticket_id} landed as ${earlier} and again as ${to}`);
    if (!graph.tree(tree).has(markOf(change.ticket_id)))
      violate('work lands once', `the work of ${change.ticket_id} is not in what landed`);
    landed.set(change.ticket_id, to);
    const run = now.all('runs').find(({ id }) => id === change.run_id);
    if (run?.state !== 'accepted')
      violate('only accepted work lands', `the run of ${change.ticket_id} is ${run?.state} as it lands`);
    const ticket = now.all('tickets').find(({ id }) => id === change.ticket_id);
    if (ticket?.status !== 'completed')
      violate('only accepted work lands', `${change.ticket_id} is ${ticket?.status} as it lands`);
  }

  /** Seen green is a commit with this tree: the head, where it holds the base, or the head merged into the base. */
  function wasGreen(tree: string, base: string, head: string): boolean {
    return (green.get(tree) ?? []).some(
      commit => (commit === head && graph.isAncestor(base, head)) || graph.get(commit).parents.join() === `${base},${head}`,
    );
  }

  return {
    look,
    checked(commit) {
      const { tree } = graph.get(commit);
      green.set(tree, [...(green.get(tree) ?? []), commit]);
    },
    pushed({ branch, from, to }) {
      if (!heads.has(to)) violate('what is pushed was the trunk', `${branch} was pushed to ${to}, where no trunk ever was`);
      if (from !== undefined && !graph.isAncestor(from, to))
        violate('what is pushed takes nothing back', `${branch} went from ${from} to ${to}, which does not hold it`);
    },
    get count() {
      return landed.size;
    },
  };
}
