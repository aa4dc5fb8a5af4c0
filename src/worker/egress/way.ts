import type { NetworkRule } from '../../../contract/network/rules.ts';
import type { Credentials } from './credentials.ts';
import type { Meter } from './meter.ts';
import type { Asked, Judgement } from './names/rules.ts';
import type { Target } from './names/target.ts';
import type { Reached } from './reach.ts';
import type { Refusal } from './refusals.ts';

/** What each connection of one sandbox is served by. */
export interface Way {
  judge(asked: Asked): Judgement;
  reach(place: { readonly target: Target; readonly rule: NetworkRule }): Promise<Reached>;
  /** Counts it, and says in words what was refused and how a person can allow it. */
  refuse(refusal: Refusal): string;
  readonly credentials: Credentials;
  readonly meter: Meter;
  /** Certificates to trust instead of the system's; undefined: those. */
  readonly authorities: readonly string[] | undefined;
  /** A connection on which nothing moves for so long is ended. */
  readonly idleMs: number;
  /** For a program to say whom it wants to speak with. */
  readonly helloMs: number;
}
