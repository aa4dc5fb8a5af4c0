import type { RunSettings } from '../../../src/stages/runs/index.ts';
import { createDice, type Dice } from './dice.ts';

/**
 * What can go wrong, each with its own chance per occasion. Off is 0. A seed turns few of them on, or many (swarm): worlds in which
 * everything goes wrong at once hide what one fault alone would show, and come to no work before the faults stop.
 */
export const faultKinds = [
  'serverCrash',
  'workerCrash',
  'workerPause',
  'clockSkew',
  'lostRequest',
  'lostAnswer',
  'duplicate',
  'slowNetwork',
  'cutBeforeCommit',
  'cutAfterCommit',
  'slowDatabase',
  'slowTransaction',
  'slowCommit',
  'slowDisk',
  'lostNotification',
  'lateJob',
  'depotLost',
  'upstreamAway',
  'pushWithoutWord',
  'stranger',
  'agentFails',
  'poison',
  'badWork',
  'flakyChecks',
  'rescue',
  'budget',
  'people',
  'doubt',
  'haste',
  'modelAway',
  'unanswered',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** How many of them a seed turns on. */
const shares = [0.2, 0.4, 0.7];

/** At most this chance of each, per occasion: a call, a commit, a second of a process's life. */
const rateMax: Readonly<Record<FaultKind, number>> = {
  serverCrash: 0.15,
  workerCrash: 0.2,
  workerPause: 0.3,
  clockSkew: 1,
  lostRequest: 0.12,
  lostAnswer: 0.12,
  duplicate: 0.15,
  slowNetwork: 0.3,
  cutBeforeCommit: 0.05,
  cutAfterCommit: 0.05,
  slowDatabase: 0.1,
  slowTransaction: 0.5,
  slowCommit: 0.1,
  slowDisk: 0.3,
  lostNotification: 0.5,
  lateJob: 0.3,
  depotLost: 0.5,
  upstreamAway: 0.4,
  pushWithoutWord: 0.5,
  stranger: 0.15,
  agentFails: 0.5,
  poison: 0.3,
  badWork: 0.4,
  flakyChecks: 0.3,
  rescue: 1,
  budget: 0.3,
  people: 1,
  doubt: 1,
  haste: 0.5,
  modelAway: 0.5,
  unanswered: 0.8,
};

export interface WorldOptions {
  readonly seed: number;
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly servers: number;
  readonly workers: number;
  readonly slots: number;
  readonly tickets: number;
  /** How long things go wrong. */
  readonly horizonMs: number;
  /** Nothing goes wrong until there is a trunk to work on: else most of the time has gone by when the work begins. */
  readonly beginsCalm: boolean;
  /** How long a statement, and again its answer, is under way at most: the longer, the more transactions overlap. */
  readonly databaseMsMax: number;
  readonly settings: RunSettings;
  /** Every call of a worker may reach another server, as behind a proxy. */
  readonly hasProxy: boolean;
  /** One folder of repositories for all servers, or one of each. */
  readonly sharesDepot: boolean;
  readonly hasChecks: boolean;
  readonly asksAboutTests: boolean;
  readonly collisions: 'hold' | 'allow';
  /** Of how many files the tickets pick theirs. */
  readonly files: number;
  /** The chance of a ticket that its agent asks a person something; 0 in most worlds. */
  readonly asks: number;
  /** Whether agents ask models; `routed`: by a template for which another one stands in. Most worlds have none. */
  readonly models: 'none' | 'plain' | 'routed';
  /** What the calls of the project may cost, in micro-USD; null: as much as they like. */
  readonly capMicroUsd: number | null;
}

/** What shrinking takes away. Nothing else of the world changes by it: each part has dice of its own. */
export interface Less {
  readonly without?: readonly FaultKind[];
  readonly servers?: number;
  readonly workers?: number;
  readonly tickets?: number;
  readonly horizonMs?: number;
  /** Nobody asks anybody anything. */
  readonly isSilent?: boolean;
}

/** When all must have come to an end after the faults have stopped. */
export const livenessMsMax = 300_000;

export function optionsOf(seed: number, less: Less = {}): WorldOptions {
  const dice = createDice(seed).of('options');
  const leaseMs = dice.pick([1_500, 2_000, 2_000, 3_000, 4_500]);
  const options = {
    servers: dice.pick([1, 1, 1, 2, 2, 3]),
    workers: dice.pick([1, 2, 2, 2, 3, 3, 5]),
    slots: dice.pick([1, 1, 2]),
    tickets: ticketsOf(dice.between(1, 100)),
    horizonMs: horizonOf(dice.of('horizon')),
    beginsCalm: dice.of('beginning').chance(0.6),
    databaseMsMax: dice.of('database').pick([1, 1, 1, 1, 1, 1, 3, 3, 8, 20]),
    settings: { ...settingsOf(dice.of('settings'), leaseMs), ...patienceOf(dice.of('patience')) },
    hasProxy: dice.chance(0.5),
    sharesDepot: dice.chance(0.5),
    hasChecks: dice.chance(0.8),
    asksAboutTests: dice.chance(0.5),
    collisions: dice.pick(['hold', 'allow'] as const),
    files: dice.between(1, 5),
  };
  const { without = [], isSilent = false, ...smaller } = less;
  const talk = isSilent ? silence : talkOf(dice.of('talk'));
  const queue = talk.models === 'routed' ? queueOf(dice.of('queue'), options) : {};
  return { seed, ...options, ...queue, ...talk, faults: faultsOf(dice.of('faults'), without), ...smaller };
}

type Talk = Pick<WorldOptions, 'asks' | 'models' | 'capMicroUsd'>;

export const silence: Talk = { asks: 0, models: 'none', capMicroUsd: null };

/** Each in a few worlds: what is said beside the work costs time, and most of what goes wrong needs none of it. */
function talkOf(dice: Dice): Talk {
  const asks = dice.chance(0.15) ? 0.3 + 0.7 * dice.next() : 0;
  const models = dice.chance(0.15) ? dice.pick(['plain', 'routed', 'routed'] as const) : 'none';
  const cap = dice.chance(0.6) ? dice.between(2_600, 12_000) : null;
  return { asks, models, capMicroUsd: models === 'none' ? null : cap };
}

/** A way around a model shows in what waits while other tickets are worked on: in every other such world by one worker. */
function queueOf(dice: Dice, { tickets }: { readonly tickets: number }): Partial<WorldOptions> {
  return { tickets: Math.max(dice.between(2, 3), tickets), ...(dice.chance(0.5) ? { workers: 1, slots: 1 } : {}) };
}

/** How long a question waits for its answer, and its run with it. */
function patienceOf(dice: Dice): Pick<RunSettings, 'questionMs' | 'questionWaitMs'> {
  return { questionMs: dice.pick([1_500, 4_000, 20_000]), questionWaitMs: dice.pick([600, 1_500, 5_000]) };
}

/** Most worlds are small, since most of what goes wrong needs little; what needs a crowd has the others, of which there are enough. */
function ticketsOf(percent: number): number {
  if (percent <= 72) return 1;
  if (percent <= 88) return 2;
  if (percent <= 96) return 3;
  return percent <= 99 ? 5 : 8;
}

function horizonOf(dice: Dice): number {
  return dice.chance(0.25) ? dice.between(5_700, 10_700) : dice.between(3_200, 5_700);
}

function faultsOf(dice: Dice, without: readonly FaultKind[]): WorldOptions['faults'] {
  const share = dice.of('share').pick(shares);
  return Object.fromEntries(
    faultKinds.map(kind => {
      const own = dice.of(kind);
      const rate = own.chance(share) ? own.next() * rateMax[kind] : 0;
      return [kind, without.includes(kind) ? 0 : rate];
    }),
  ) as Record<FaultKind, number>;
}

/** The same for all: options of one seed are compared. */
const noTargets: RunSettings['modelTargets'] = () => [];

function settingsOf(dice: Dice, leaseMs: number): Omit<RunSettings, 'questionMs' | 'questionWaitMs'> {
  return {
    leaseMs,
    heartbeatMs: Math.floor(leaseMs / 3),
    attemptsMax: dice.between(1, 3),
    // Small: a world that waits for the next attempt costs as much as one that works.
    retryMs: dice.pick([20, 50, 100]),
    restartCooldownMs: dice.pick([0, 500, 2_000]),
    restartsMax: dice.between(1, 3),
    stormFailures: dice.pick([2, 4, 10]),
    queueAgeMs: dice.pick([1_500, 7_200_000]),
    roundsMax: dice.between(1, 3),
    reviewTimeoutMs: 60_000,
    modelTargets: noTargets,
    limits: {
      timeout_ms: 60_000,
      output_bytes_max: 10_000,
      bundle_bytes_max: 1_000_000,
      memory_bytes: 1e9,
      process_count: 64,
      cpu_count: 1,
      tmp_bytes: 1e9,
      workspace_bytes: 64 * 2 ** 20,
    },
  };
}

/** The faults that are on, for people. */
export function faultsOn({ faults }: Pick<WorldOptions, 'faults'>): FaultKind[] {
  return faultKinds.filter(kind => faults[kind] > 0);
}
