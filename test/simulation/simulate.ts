import type { Upstream } from '../../src/support/repositories/index.ts';
import { createOracle, type OracleFigures, type Violation } from './oracle/index.ts';
import { unrest } from './oracle/rest.ts';
import { watchCommits } from './oracle/feed.ts';
import type { Recording } from './differential/recording.ts';
import { dueJobs } from './database/due.ts';
import { openMemoryPostgres } from './postgres/index.ts';
import type { Outside } from './postgres/types.ts';
import { withLightSignals } from './signals.ts';
import { createDice } from './world/dice.ts';
import { createGraph } from './world/git/graph.ts';
import { faultsOn, type Less, livenessMsMax, optionsOf, type WorldOptions } from './world/options.ts';
import { beginning, createScheduler } from './world/scheduler.ts';
import type { StrikeCounts } from './world/strikes.ts';
import { createTrace } from './world/trace.ts';
import { withSimulatedWall } from './world/wall.ts';
import { beginLife, type Life } from './world/world.ts';

export interface SimulateOptions {
  readonly less?: Less;
  /** Instead of what the seed draws. */
  readonly options?: WorldOptions;
  /** Changes a statement before it is compiled: of a mutant. */
  readonly rewrite?: (text: string) => string;
  /** Unique indexes that the database is without: of a mutant. */
  readonly unkept?: readonly string[];
  /** Changes how the user's repository is reached: of a mutant. */
  readonly upstream?: (real: Upstream) => Upstream;
  readonly isTraceWhole?: boolean;
  /** Writes down what the database is asked, to be compared with the real one. */
  readonly record?: (outside: Outside) => Recording;
}

export interface Simulated {
  readonly seed: number;
  readonly options: WorldOptions;
  /** Of all that happened; the same for the same seed. */
  readonly hash: string;
  readonly figures: OracleFigures & {
    readonly events: number;
    /** Virtual time until all was at rest. */
    readonly ms: number;
  };
  /** What went wrong in it, and how often. */
  readonly struck: StrikeCounts;
  readonly violation: Violation | undefined;
  readonly trace: readonly string[];
}

/** Far more than any world needs. */
const eventsMax = 2_000_000;
const lookMs = 500;

/** The world of a seed: first things go wrong, then they do not any more and all must come to its end. */
export function simulate(seed: number, how: SimulateOptions = {}): Promise<Simulated> {
  return withLightSignals(() => withSimulatedWall(() => live(seed, how)));
}

async function live(seed: number, how: SimulateOptions): Promise<Simulated> {
  const options = how.options ?? optionsOf(seed, how.less);
  const scheduler = createScheduler();
  const trace = createTrace(scheduler, { isWhole: how.isTraceWhole === true });
  const graph = createGraph();
  const dice = createDice(seed).of('database');
  const outside = { now: scheduler.now, random: () => dice.next(), uuid: () => uuidOf(dice.next, dice.next) };
  const oracle = createOracle({ scheduler, graph, options });
  const recording = how.record?.(outside);
  const opened = openMemoryPostgres(recording?.outside ?? outside, { rewrite: how.rewrite, unkept: how.unkept });
  const memory = recording?.watch(opened) ?? opened;
  const watching = [oracle.look];
  const onCommit: typeof oracle.look = (commit, now) => {
    for (const look of watching) look(commit, now);
  };
  const postgres = watchCommits(memory, { now: scheduler.now, onCommit });
  const life = beginLife({
    ...{
      options,
      scheduler,
      trace,
      graph,
      postgres,
      isJobDue: dueJobs(memory.storage, scheduler.now),
      witness: oracle.witness,
      onPush: oracle.pushed,
      upstream: how.upstream,
    },
    onUnexpected: what => oracle.violate('nothing unforeseen is thrown', what),
  });
  watching.push(life.saw);
  const left = await settle(life, scheduler, () => oracle.violation() !== undefined);
  if (left.length > 0) oracle.violate('all comes to its end', left.slice(0, 12).join('; '));
  else if (oracle.violation() === undefined) oracle.end();
  for (const line of ticketLines(life)) trace.say('end', line);
  const ms = scheduler.now() - beginning;
  const figures = { events: scheduler.count, ...oracle.figures, ms };
  return { seed, options, hash: trace.hash(), figures, struck: life.struck, violation: oracle.violation(), trace: trace.lines() };
}

/** Lets the world go on until it is calm and at rest; what is left after all its time. */
async function settle(life: Life, scheduler: ReturnType<typeof createScheduler>, isOver: () => boolean): Promise<string[]> {
  for (;;) {
    await scheduler.run(scheduler.now() + lookMs, eventsMax);
    if (isOver()) return [];
    const isLate = scheduler.now() >= (life.calmSince ?? beginning) + livenessMsMax;
    if (life.calmSince === undefined) {
      if (!isLate) continue;
      // One that begins calm waits for its trunk, and would otherwise be at rest without having lived.
      return ['nothing ever went wrong: no trunk became ready', ...unrest(life.look, life.repositories)];
    }
    const left = unrest(life.look, life.repositories);
    if (left.length === 0 || isLate) return left;
  }
}

function ticketLines({ look }: Life): string[] {
  const tickets = look.rows<{ id: string; status: string; attempts: number }>(
    'select id, status, attempts from tickets order by number',
  );
  return tickets.map(({ id, status, attempts }) => `${id} ${status} ${attempts}`);
}

function uuidOf(...dice: readonly [() => number, () => number]): string {
  const hex = (next: () => number, digits: number): string =>
    Math.floor(next() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0');
  const [a, b] = dice;
  return `${hex(a, 8)}-${hex(b, 4)}-4${hex(a, 3)}-8${hex(b, 3)}-${hex(a, 6)}${hex(b, 6)}`;
}

/** How a seed is told, so that it can be run again. */
export function tell({ seed, options, violation }: Simulated): string {
  const faults = faultsOn(options).join(',');
  const { servers, workers, tickets, horizonMs, beginsCalm } = options;
  return [
    `SEED=${seed} faults=${faults} servers=${servers} workers=${workers} tickets=${tickets} horizonMs=${horizonMs} beginsCalm=${beginsCalm}`,
    violation === undefined ? 'no violation' : `${violation.atMs} ms: ${violation.rule}: ${violation.message}`,
    `alone: npx tsx test/simulation/main.ts ${seed}`,
  ].join('\n');
}
