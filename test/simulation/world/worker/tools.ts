import type { Clock } from '../../../../src/kernel/clock.ts';
import type { Protocol } from '../../../../src/worker/client.ts';
import type { Dice } from '../dice.ts';
import type { World } from '../parts.ts';
import type { Fetching, Files, Talking } from './protocol.ts';

/** What a worker has at hand for a run. */
export interface Tools {
  readonly world: World;
  readonly protocol: Protocol & Fetching & Talking;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly files: Files;
  /** What is in the workspace now, so that it can be found when the worker is dead. */
  readonly onCommit: (head: string) => void;
  /** Never comes back where the ticket kills its worker. */
  readonly survive: (ticketId: string) => Promise<void>;
}
