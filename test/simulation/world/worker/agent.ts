import type { Claimed, FailureClass } from '../../../../contract/runs.ts';
import type { CheckEvidence } from '../../../../contract/reviews.ts';
import type { Dice } from '../dice.ts';
import { bothSides, type Graph, type Tree } from '../git/graph.ts';
import type { WorldOptions } from '../options.ts';

/** How one attempt of an agent goes, decided when it begins. */
export interface Fate {
  readonly workMs: number;
  readonly failure: FailureClass | undefined;
  /** Whether there is half of the work when it breaks off. */
  readonly leavesWork: boolean;
  readonly isBad: boolean;
  readonly touchesTests: boolean;
}

const failures: readonly FailureClass[] = [
  ...(['agent_failed', 'agent_died', 'unresponsive', 'stopped', 'timeout', 'no_changes', 'sandbox'] as const),
  ...(['repository', 'network', 'provider', 'quota', 'agent_failed', 'agent_died', 'out_of_memory', 'model'] as const),
];

/** After these the workspace is still there. */
const collectable: ReadonlySet<FailureClass> = new Set([
  ...(['agent_died', 'unresponsive', 'stopped', 'timeout', 'provider', 'quota', 'network'] as const),
]);

export function fateOf(dice: Dice, { faults, asksAboutTests }: WorldOptions, isFaulty: boolean): Fate {
  const fails = dice.chance(faults.agentFails);
  const failure = dice.pick(failures);
  const leaves = dice.chance(0.5);
  const isBad = dice.chance(faults.badWork);
  const touches = dice.chance(0.5);
  return {
    workMs: dice.around(700),
    failure: isFaulty && fails ? failure : undefined,
    leavesWork: leaves && collectable.has(failure),
    isBad: isFaulty && isBad,
    touchesTests: touches && asksAboutTests,
  };
}

/** Where the work of a ticket shows. */
export function markOf(ticketId: string): string {
  return `work/${ticketId}`;
}

/** A commit of the work of one attempt, on what its task says. */
export function workOn(
  graph: Graph,
  claimed: Claimed,
  {
    quality,
    now,
    touchesTests,
  }: { readonly quality: 'good' | 'bad' | 'half'; readonly now: number; readonly touchesTests: boolean },
): string {
  const { task, ticket, run } = claimed;
  if (ticket === null) throw new Error('work is on a ticket');
  const said = `${ticket.id} ${run.attempt}`;
  const files = new Map<string, string>(graph.filesOf(task.commit));
  files.set(markOf(ticket.id), `${said} ${quality}`);
  for (const path of ticket.files) files.set(path, bothSides(files.get(path) ?? '', said));
  if (touchesTests) files.set('test/all.test.js', bothSides(files.get('test/all.test.js') ?? '', said));
  return graph.commit({ tree: files, parents: [task.commit], message: `${run.id} ${quality}`, at: wholeSecond(now) });
}

/** Both sides of a conflict, with all lines of either. */
export function resolve(graph: Graph, { task, run }: Claimed, now: number): string {
  const [ours, theirs] = [task.commit, task.merge ?? task.commit];
  const merged = graph.merge({ ours, theirs });
  const tree = merged.kind === 'clean' ? merged.tree : withAll(graph.filesOf(ours), graph.filesOf(theirs));
  return graph.commit({ tree, parents: [ours, theirs], message: `${run.id} resolved`, at: wholeSecond(now) });
}

function withAll(ours: Tree, theirs: Tree): Tree {
  const tree = new Map(ours);
  for (const [path, content] of theirs) {
    const own = tree.get(path);
    tree.set(path, own === undefined || path.startsWith('work/') ? content : bothSides(own, content));
  }
  return tree;
}

/** The checks of the project are green on a commit in which all work is good. */
export function isSound(graph: Graph, commit: string): boolean {
  return [...graph.filesOf(commit)].every(([path, content]) => !path.startsWith('work/') || content.endsWith('good'));
}

export function evidenceOf({ task }: Claimed, isGreen: boolean): CheckEvidence[] {
  return task.checks.map(({ name, command }) => ({
    name,
    command,
    outcome: 'exited',
    exit_code: isGreen ? 0 : 1,
    duration_ms: 5,
    flaky: false,
    tests: null,
    output_tail: '',
  }));
}

/** As git keeps time. */
function wholeSecond(now: number): Date {
  return new Date(Math.floor(now / 1_000) * 1_000);
}
