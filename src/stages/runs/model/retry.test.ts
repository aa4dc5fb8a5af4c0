import { describe, expect, test } from 'vitest';
import { failureClasses } from '../../../../contract/runs.ts';
import { afterAttempt, type AttemptPolicy, type EndClass, type Ended, waitBeforeAttempt } from './retry.ts';

/** As the settings are where nobody has changed them. */
const policy: AttemptPolicy = { attemptsMax: 3, retryMs: 2_000, restartCooldownMs: 60_000, restartsMax: 3 };

const ended = (kind: EndClass | 'returned' | 'resumed', ageMs = 0): Ended =>
  kind === 'returned' || kind === 'resumed' || kind === 'lost'
    ? { state: kind, failureClass: null, ageMs }
    : { state: 'failed', failureClass: kind, ageMs };
/** Newest first, as they are read. */
const after = (...kinds: EndClass[]) => afterAttempt({ message: 'm', ended: kinds.map(kind => ended(kind)) }, policy);
const times = <T>(count: number, what: T): T[] => Array.from({ length: count }, () => what);

/** What follows on one failure after another, until something else than another attempt does: the waits in seconds, and what it is. */
function wholeWay(kind: EndClass): { waits: number[]; last: string } {
  const waits: number[] = [];
  for (let count = 1; count <= 200; count++) {
    const all = times(count, ended(kind));
    const { next } = afterAttempt({ message: 'm', ended: all }, policy);
    if (next !== 'again') return { waits, last: next };
    waits.push(waitBeforeAttempt(all, policy) / 1_000);
  }
  return { waits, last: 'never' };
}

const restarts = { waits: [0, 60, 60], last: 'ask' };
const agent = { waits: [2, 4], last: 'fail' };
const machine = { waits: [5, 10, 20, 40, 80], last: 'ask' };
const never = { waits: [], last: 'fail' };
const table: Readonly<Record<EndClass, { waits: number[]; last: string }>> = {
  lost: restarts,
  agent_died: restarts,
  unresponsive: restarts,
  stopped: { waits: [...times(9, 0), ...times(91, 60)], last: 'ask' },
  agent_failed: agent,
  timeout: agent,
  no_changes: agent,
  sandbox: machine,
  repository: machine,
  network: machine,
  setup: { waits: [30, 60], last: 'ask' },
  provider: { waits: [30, 60, 120, 240, 480, 960, 1_920], last: 'ask' },
  quota: { waits: [60, 120, 240, 480, 960], last: 'ask' },
  agent_missing: never,
  output_limit: never,
  out_of_memory: never,
  invalid_task: never,
  model: never,
  blocked: never,
  limit: never,
};

test.each([...failureClasses, 'lost' as const])('%s: waits and ends as the table says', kind => {
  expect(wholeWay(kind)).toEqual(table[kind]);
});

test('what a person waits for is given up as soon as an agent would be', () => {
  const awaited = { ...policy, isAwaited: true };
  for (const kind of ['network', 'provider', 'quota'] as const) {
    const waits = [1, 2].map(count => waitBeforeAttempt(times(count, ended(kind)), awaited));
    expect([kind, ...waits]).toEqual([kind, 2_000, 4_000]);
    expect(afterAttempt({ message: 'm', ended: times(3, ended(kind)) }, awaited)).toMatchObject({ next: 'fail' });
  }
});

test('the longest waits: an agent 10 minutes, the machine 5 minutes, a provider and a quota an hour', () => {
  const patient = { ...policy, attemptsMax: 100, retryMs: 3_600_000 };
  const waits = (['agent_failed', 'sandbox', 'provider', 'quota'] as const).map(kind =>
    waitBeforeAttempt([ended(kind)], patient),
  );
  expect(waits).toEqual([600_000, 300_000, 3_600_000, 3_600_000]);
});

describe('restarts', () => {
  test('count for an hour, whichever they are', () => {
    const ofAge = (ageMs: number) => [ended('lost'), ended('agent_died', 10), ended('unresponsive', 20), ended('lost', ageMs)];
    expect(afterAttempt({ message: '', ended: ofAge(3_599_000) }, policy)).toEqual({
      next: 'ask',
      reason: 'broke off 4 times within an hour; the last: the worker fell silent',
    });
    expect(afterAttempt({ message: '', ended: ofAge(3_600_001) }, policy).next).toBe('again');
    expect(waitBeforeAttempt([ended('lost'), ended('lost', 3_600_001)], policy)).toBe(0);
  });

  test('wait from the end of the last one, and not from when somebody looks', () => {
    expect(waitBeforeAttempt([ended('lost', 50_000), ended('lost', 55_000)], policy)).toBe(10_000);
    expect(waitBeforeAttempt([ended('lost', 61_000), ended('lost', 62_000)], policy)).toBe(0);
  });

  test('end after twenty in a row, however far apart', () => {
    const apart = (count: number) => Array.from({ length: count }, (_, i) => ended('lost', i * 1_800_000));
    expect(afterAttempt({ message: '', ended: apart(20) }, policy).next).toBe('again');
    expect(afterAttempt({ message: '', ended: apart(21) }, policy)).toEqual({
      next: 'ask',
      reason: 'broke off 21 times in a row; the last: the worker fell silent',
    });
    expect(afterAttempt({ message: '', ended: [...apart(10), ended('resumed'), ...apart(20)] }, policy).next).toBe('again');
  });

  test('none where the operator wants none', () => {
    expect(afterAttempt({ message: '', ended: [ended('lost')] }, { ...policy, restartsMax: 0 }).next).toBe('ask');
  });
});

test('each kind is counted by itself', () => {
  expect(after('agent_failed', 'network', 'network', 'network', 'lost', 'lost', 'agent_failed')).toEqual({
    next: 'again',
    reason: 'attempt 2: agent_failed: m',
  });
  expect(after('agent_failed', 'network', 'no_changes', 'stopped', 'timeout')).toEqual({
    next: 'fail',
    reason: 'gave up after 3 attempts; the last: agent_failed: m',
  });
  expect(after('network', ...times(20, 'agent_failed' as const)).next).toBe('again');
  expect(after(...times(6, 'network' as const))).toEqual({
    next: 'ask',
    reason: 'broke off 6 times in a row; the last: network: m',
  });
});

test.each(['returned', 'resumed'] as const)('what was %s begins every count anew', kind => {
  const before = [ended('agent_failed'), ended(kind), ...times(10, ended('agent_failed'))];
  expect(afterAttempt({ message: 'm', ended: before }, policy)).toEqual({ next: 'again', reason: 'attempt 1: agent_failed: m' });
  expect(waitBeforeAttempt(before, policy)).toBe(2_000);
  expect(waitBeforeAttempt([ended(kind), ended('quota')], policy)).toBe(0);
  expect(waitBeforeAttempt([], policy)).toBe(0);
});

test('a class that a later version knows counts as the agent’s', () => {
  const strange = { state: 'failed', failureClass: 'struck_by_lightning', ageMs: 0 };
  expect(afterAttempt({ message: 'm', ended: [strange] }, policy)).toEqual({
    next: 'again',
    reason: 'attempt 1: agent_failed: m',
  });
});
