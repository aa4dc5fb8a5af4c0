import type { FailureClass } from '../../../../contract/runs.ts';

/** Why an attempt ended without a result: what its holder said of it, or that its lease ran out. */
export type EndClass = FailureClass | 'lost';

/** Classes that are counted and waited for together. */
type RuleName = 'restart' | 'handed_back' | 'agent' | 'machine' | 'setup' | 'provider' | 'quota' | 'never';

const ruleOf: Readonly<Record<EndClass, RuleName>> = {
  lost: 'restart',
  agent_died: 'restart',
  unresponsive: 'restart',
  stopped: 'handed_back',
  agent_failed: 'agent',
  timeout: 'agent',
  no_changes: 'agent',
  sandbox: 'machine',
  repository: 'machine',
  network: 'machine',
  setup: 'setup',
  provider: 'provider',
  quota: 'quota',
  agent_missing: 'never',
  output_limit: 'never',
  out_of_memory: 'never',
  invalid_task: 'never',
  model: 'never',
  blocked: 'never',
  limit: 'never',
};

/** What an operator sets of it (docs/recovery.md). */
export interface AttemptPolicy {
  readonly attemptsMax: number;
  /** The unit of every growing wait. */
  readonly retryMs: number;
  /** Between restarts from the second on, of those within an hour. */
  readonly restartCooldownMs: number;
  /** Restarts within an hour before a person is asked. */
  readonly restartsMax: number;
  /** A person sits and waits for it, as for a phase of planning: then nothing is waited for longer than for an agent. */
  readonly isAwaited?: boolean;
}

/** One ended attempt at a subject. */
export interface Ended {
  /** As in the row; `resumed`: a person has let it go on. */
  readonly state: string;
  readonly failureClass: string | null;
  /** How long ago it ended. */
  readonly ageMs: number;
}

/** What becomes of a subject whose attempt ended without a result. `ask`: only a person can say. */
export interface Decision {
  readonly next: 'again' | 'ask' | 'fail';
  readonly reason: string;
}

interface Rule {
  /** The wait before the next attempt after this many of the kind, measured from the end of the last. */
  readonly waitMs: (count: number, policy: AttemptPolicy) => number;
  /** How many of the kind are tried again; one more is not. */
  readonly triesMax: (policy: AttemptPolicy) => number;
  /** Only those that ended so recently count. */
  readonly withinMs: number;
  readonly atLast: 'ask' | 'fail';
}

const hourMs = 3_600_000;
/** Also of those that are far enough apart: a ticket that takes its machine down every half hour would do so for ever. */
const restartsInRowMax = 20;
const handedBackAtOnceMax = 9;
const handedBackMax = 100;

/** With the usual unit of 2 s: the machine 5 s to 5 min, a setup 30 s and 1 min, a provider 30 s to 32 min and about an hour together, a quota 60 s to 1 h. */
const rules: Readonly<Record<RuleName, Rule>> = {
  restart: {
    waitMs: (count, { restartCooldownMs }) => (count > 1 ? restartCooldownMs : 0),
    triesMax: ({ restartsMax }) => restartsMax,
    withinMs: hourMs,
    atLast: 'ask',
  },
  handed_back: {
    waitMs: (count, { restartCooldownMs }) => (count > handedBackAtOnceMax ? restartCooldownMs : 0),
    triesMax: () => handedBackMax,
    withinMs: Infinity,
    atLast: 'ask',
  },
  agent: growing({ factor: 1, waitMsMax: 600_000, triesMax: ({ attemptsMax }) => attemptsMax - 1, atLast: 'fail' }),
  machine: growing({ factor: 2.5, waitMsMax: 300_000, triesMax: ({ attemptsMax }) => 2 * attemptsMax - 1, atLast: 'ask' }),
  setup: growing({ factor: 15, waitMsMax: hourMs, triesMax: () => 2, atLast: 'ask' }),
  provider: growing({ factor: 15, waitMsMax: hourMs, triesMax: () => 7, atLast: 'ask' }),
  quota: growing({ factor: 30, waitMsMax: hourMs, triesMax: () => 5, atLast: 'ask' }),
  never: growing({ factor: 1, waitMsMax: 0, triesMax: () => 0, atLast: 'fail' }),
};

/** Ended attempts at one subject that are looked at; no rule goes on for longer. */
export const endedCountMax = 500;

/**
 * What becomes of a subject whose last attempt, the first of `ended`, has no result. Each kind of failure is counted by itself: what
 * a network did uses up no attempt of an agent. What was handed in, or a person's word, begins every count anew.
 */
export function afterAttempt(
  { message, ended }: { readonly message: string; readonly ended: readonly Ended[] },
  policy: AttemptPolicy,
): Decision {
  const { name, count, countInRow } = lastOf(ended);
  const what = whatEnded(ended[0], message);
  if (name === 'never') return { next: 'fail', reason: what };
  if (name === 'restart' && countInRow > restartsInRowMax)
    return { next: 'ask', reason: `broke off ${countInRow} times in a row; the last: ${what}` };
  const { triesMax, atLast } = ruleFor(name, policy);
  if (count <= triesMax(policy)) return { next: 'again', reason: `attempt ${count}: ${what}` };
  if (atLast === 'fail') return { next: 'fail', reason: `gave up after ${count} attempts; the last: ${what}` };
  const within = name === 'restart' ? ' within an hour' : ' in a row';
  return { next: 'ask', reason: `broke off ${count} times${within}; the last: ${what}` };
}

/** How long the next attempt still waits, in milliseconds. */
export function waitBeforeAttempt(ended: readonly Ended[], policy: AttemptPolicy): number {
  const [last] = ended;
  if (last === undefined || !isFailure(last)) return 0;
  const { name, count } = lastOf(ended);
  return Math.max(0, Math.round(ruleFor(name, policy).waitMs(count, policy) - last.ageMs));
}

function ruleFor(name: RuleName, { isAwaited = false }: AttemptPolicy): Rule {
  return isAwaited && patient.has(name) ? rules.agent : rules[name];
}

const patient: ReadonlySet<RuleName> = new Set(['machine', 'setup', 'provider', 'quota']);

/** By which rule the last attempt goes, how many count there, and how many there are however long ago. */
function lastOf(ended: readonly Ended[]): { name: RuleName; count: number; countInRow: number } {
  const name = ruleOfEnded(ended[0]);
  const beginning = ended.findIndex(each => !isFailure(each));
  const recent = beginning === -1 ? ended : ended.slice(0, beginning);
  const alike = recent.filter(each => ruleOfEnded(each) === name);
  const count = alike.filter(each => each.ageMs < rules[name].withinMs).length;
  return { name, count: Math.max(1, count), countInRow: alike.length };
}

function ruleOfEnded(ended: Ended | undefined): RuleName {
  return ruleOf[classOf(ended)];
}

/** A row of an older version may name a class that is not known any more. */
function classOf(ended: Ended | undefined): EndClass {
  const kind = ended?.state === 'lost' ? 'lost' : (ended?.failureClass ?? '');
  return kind in ruleOf ? (kind as EndClass) : 'agent_failed';
}

function whatEnded(ended: Ended | undefined, message: string): string {
  const kind = classOf(ended);
  return kind === 'lost' ? 'the worker fell silent' : `${kind}: ${message}`;
}

function isFailure({ state }: Ended): boolean {
  return state === 'failed' || state === 'lost';
}

interface Growth {
  /** The first wait, in units of `retryMs`. */
  readonly factor: number;
  readonly waitMsMax: number;
  readonly triesMax: Rule['triesMax'];
  readonly atLast: Rule['atLast'];
}

/** Doubles with each failure of the kind. */
function growing({ factor, waitMsMax, triesMax, atLast }: Growth): Rule {
  return {
    waitMs: (count, { retryMs }) => Math.min(factor * retryMs * 2 ** (count - 1), waitMsMax),
    triesMax,
    withinMs: Infinity,
    atLast,
  };
}
