import type { Dice } from './dice.ts';
import { type FaultKind, faultKinds, type WorldOptions } from './options.ts';

/** What is counted beside the faults: what several of them come to, or what a world is. */
const circumstances = ['pausePastLease', 'leaseAtTwoServers'] as const;

export const strikeKinds = [...faultKinds, ...circumstances] as const;
export type Strike = (typeof strikeKinds)[number];
export type StrikeCounts = Readonly<Partial<Record<Strike, number>>>;

/** What the issue of this proof asks for, in its words, and by what each is done here. */
export const wantedKinds = {
  crash: ['serverCrash', 'workerCrash', 'poison'],
  'pause past the lease': ['pausePastLease'],
  'lost ack': ['lostAnswer', 'cutAfterCommit'],
  'duplicate message': ['duplicate'],
  'late message': ['slowNetwork'],
  'clock skew': ['clockSkew'],
  'slow disk': ['slowDisk', 'slowCommit'],
  'two servers': ['leaseAtTwoServers'],
} as const satisfies Readonly<Record<string, readonly Strike[]>>;

/** What went wrong in a world, and how often: a fault that is on and never strikes shows nothing. */
export interface Strikes {
  /** Throws the dice for a fault, by its rate or another one, and counts it where it strikes. */
  happens(dice: Dice, kind: FaultKind, rate?: number): boolean;
  count(kind: Strike): void;
  readonly counts: StrikeCounts;
}

interface StrikesOptions {
  readonly faults: WorldOptions['faults'];
  /** False before the faults begin, and once they have stopped. */
  readonly isFaulty: () => boolean;
}

export function createStrikes({ faults, isFaulty }: StrikesOptions): Strikes {
  const counts: Partial<Record<Strike, number>> = {};
  const count = (kind: Strike): void => void (counts[kind] = (counts[kind] ?? 0) + 1);
  return {
    happens(dice, kind, rate = faults[kind]) {
      // The dice are thrown whether it may strike or not: those after it fall the same.
      if (!dice.chance(rate) || !isFaulty()) return false;
      count(kind);
      return true;
    },
    count,
    counts,
  };
}
