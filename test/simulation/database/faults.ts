import type { Dice } from '../world/dice.ts';
import type { Process } from '../world/process.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { MemoryPostgres } from '../postgres/types.ts';

/** What goes wrong between a server and its database; asked anew on each occasion. */
export interface DatabaseFaults {
  /** How long what is asked, and again its answer, is under way: milliseconds. */
  takesMs(): number;
  /** So much longer each statement of a transaction takes, decided as it begins: milliseconds, mostly 0. */
  lagMs(): number;
  /** How long what a statement alone has done waits for the disk before it is committed, with its locks: milliseconds, mostly 0. */
  flushMs(text: string): number;
  /** The connection is lost before the commit arrives. */
  isCutBeforeCommit(): boolean;
  /** It is committed, and the answer lost. */
  isCutAfterCommit(): boolean;
  /** The connection that listens is lost, with what is said until it is there again. */
  isNotificationLost(): boolean;
}

/** Where one life of a server meets the database. */
export interface Meeting {
  readonly postgres: MemoryPostgres;
  readonly scheduler: Scheduler;
  readonly process: Process;
  readonly dice: Dice;
  readonly faults: DatabaseFaults;
}

/** Statements in some milliseconds, and nothing lost. */
export function noFaults(dice: Dice): DatabaseFaults {
  return {
    takesMs: () => dice.between(0, 2),
    lagMs: () => 0,
    flushMs: () => 0,
    isCutBeforeCommit: () => false,
    isCutAfterCommit: () => false,
    isNotificationLost: () => false,
  };
}
