import type { Dice } from './dice.ts';
import type { Graph } from './git/graph.ts';
import type { Network, Peer } from './network.ts';
import type { WorldOptions } from './options.ts';
import type { Scheduler } from './scheduler.ts';
import type { ServerVerbs } from './server/verbs.ts';
import type { Trace } from './trace.ts';

/** What all who live in a simulated world share. */
export interface World {
  readonly options: WorldOptions;
  readonly scheduler: Scheduler;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly graph: Graph;
  readonly network: Network<ServerVerbs>;
  /** False before the faults begin, and once they have stopped. */
  isFaulty(): boolean;
  /** Where a call of the caller with this number goes now: through a proxy to any server that lives, or always to the same one. */
  serverOf(caller: number): Peer<ServerVerbs> | undefined;
  readonly witness: Witness;
}

/** Who watches what happens outside of the database. */
export interface Witness {
  /** A worker has run the checks on this commit and says so of it. */
  checked(commit: string, isGreen: boolean): void;
  /** A server has done what the holder of this token asked for; `since`: when it was asked. */
  told(kind: 'heartbeat' | 'write' | 'complete' | 'fail' | 'park', token: string, since: number): void;
  /** The process that was given this claim is dead. */
  died(token: string): void;
}
