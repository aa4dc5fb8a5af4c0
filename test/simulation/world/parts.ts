import type { Claimed } from '../../../contract/runs.ts';
import type { Dice } from './dice.ts';
import type { Graph } from './git/graph.ts';
import type { Network, Peer } from './network.ts';
import type { WorldOptions } from './options.ts';
import type { Scheduler } from './scheduler.ts';
import type { ServerVerbs } from './server/verbs.ts';
import type { Strikes } from './strikes.ts';
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
  readonly strikes: Strikes;
  /** Where a call of the caller with this number goes now: through a proxy to any server that lives, or always to the same one. */
  serverOf(caller: number): Peer<ServerVerbs> | undefined;
  readonly witness: Witness;
  /** The server that has last done what the holder of a token asked for. */
  readonly servedBy: Map<string, number>;
  /** Of providers of models that do not answer: until when. */
  readonly awayUntil: Map<string, number>;
}

/** Who watches what happens outside of the database. */
export interface Witness {
  /** A worker has run the checks on this commit and says so of it. */
  checked(commit: string, isGreen: boolean): void;
  /** A server has done what the holder of this token asked for; `since`: when it was asked. */
  told(kind: 'heartbeat' | 'write' | 'complete' | 'fail' | 'park', token: string, since: number): void;
  /** The process that was given this claim is dead. */
  died(token: string): void;
  /** A server has taken this token for that of a run that lives; `since`: when it was shown. */
  identified(runToken: string, since: number): void;
  /** An agent was told of a question about its ticket what was decided. */
  heard(ticketId: string, outcome: 'answered' | 'default', answer: unknown): void;
  /** A worker begins, and is told what was asked before. */
  begins(claimed: Claimed): void;
  /** A provider has answered a call of a run with so many tokens in all. */
  used(runId: string, tokens: number): void;
  /** All that waits was brought to the template that holds now; `since`: when that was begun. */
  refitted(since: number): void;
}
