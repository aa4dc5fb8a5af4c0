import { describe, expect, test } from 'vitest';
import { breakerLimits } from '../../../gateway/call/breakers.ts';
import { breakerState, openMs } from './breaker.ts';
import { type Bars, heldBack } from './held-back.ts';

const due = (more: Partial<Bars['due'][number]> = {}): Bars['due'][number] => ({
  ...{
    projectId: 'p1',
    project: 'web',
    agent: 'codex',
    requires: ['agent:codex'],
    runs: 3,
    colliding: 0,
    workers: ['w'],
    missing: [],
  },
  ...more,
});
const bars = (more: Partial<Bars>): Bars => ({ due: [due()], held: [], limits: [], brake: undefined, ...more });
const held = (runs: number) => [{ projectId: 'p1', agent: 'codex', worker: 'w', runs }];
const said = (more: Partial<Bars>) => heldBack(bars(more)).map(({ why, runs, detail }) => `${why} ${runs}: ${detail}`);

describe('what holds runs back', () => {
  test('is nothing where a worker may claim them, however busy it is', () => {
    expect(said({ held: held(100) })).toEqual([]);
    expect(said({ brake: { state: 'off', reason: 'old', isTaken: true } })).toEqual([]);
    expect(said({ brake: { state: 'trying', reason: 'old', isTaken: false } })).toEqual([]);
  });

  test('is the brake before all else', () => {
    const limits = [{ scope: 'tenant', scopeId: '', runsMax: 0 }] as const;
    expect(said({ brake: { state: 'on', reason: 'no network', isTaken: false }, limits })).toEqual(['brake 3: no network']);
    expect(said({ brake: { state: 'trying', reason: 'x', isTaken: true } })).toEqual([
      'brake 3: one run at a time, until one is handed in',
    ]);
  });

  test('is a limit that is reached, and not one of others, or one with room', () => {
    const limits = [
      { scope: 'project', scopeId: 'p1', runsMax: 2 },
      { scope: 'project', scopeId: 'p2', runsMax: 0 },
      { scope: 'agent', scopeId: 'pi', runsMax: 0 },
      { scope: 'worker', scopeId: 'w', runsMax: 9 },
    ] as const;
    expect(said({ limits, held: held(1) })).toEqual([]);
    expect(said({ limits, held: held(2) })).toEqual(['limit 3: at most 2 runs of project web']);
    expect(said({ limits: [{ scope: 'agent', scopeId: 'codex', runsMax: 1 }], held: held(1) })).toEqual([
      'limit 3: at most 1 run of agent codex',
    ]);
    expect(said({ limits: [{ scope: 'tenant', scopeId: '', runsMax: 2 }], held: [...held(1), ...held(1)] })).toEqual([
      'limit 3: at most 2 runs at once',
    ]);
  });

  test('is the limits of workers where none is left that could claim them', () => {
    const limits = [{ scope: 'worker', scopeId: 'w', runsMax: 1 }] as const;
    expect(said({ limits, held: held(1) })).toEqual(['limit 3: every worker that could claim them is at its limit: w']);
    expect(said({ limits, held: held(1), due: [due({ workers: ['v', 'w'] })] })).toEqual([]);
  });

  test('is what no worker offers, by name', () => {
    const without = (missing: string[]) => due({ workers: [], missing, requires: ['agent:codex', 'label:gpu'] });
    expect(said({ due: [without(['label:gpu'])] })).toEqual(['no_worker 3: no active worker offers label:gpu']);
    expect(said({ due: [without([])] })).toEqual(['no_worker 3: no active worker offers all of agent:codex, label:gpu']);
    expect(said({ due: [due({ workers: [], requires: [] })] })).toEqual([
      'no_worker 3: no active worker offers anything: there is none',
    ]);
  });

  test('is files for those that collide, and counts each run once, the many first', () => {
    expect(said({ due: [due({ colliding: 2 }), due({ projectId: 'p2', colliding: 1 })] })).toEqual([
      'files 3: another run works on the same files',
    ]);
    const limits = [{ scope: 'agent', scopeId: 'pi', runsMax: 0 }] as const;
    expect(said({ limits, due: [due({ colliding: 1 }), due({ agent: 'pi', runs: 7, colliding: 5 })] })).toEqual([
      'limit 7: at most 0 runs of agent pi',
      'files 1: another run works on the same files',
    ]);
  });

  test('is at most 50 reasons', () => {
    const many = Array.from({ length: 80 }, (_, i) => due({ runs: i + 1, workers: [], missing: [`label:${i}`] }));
    const told = heldBack(bars({ due: many }));
    expect(told).toHaveLength(50);
    expect(told[0]).toEqual({ why: 'no_worker', runs: 80, detail: 'no active worker offers label:79' });
  });
});

describe('a stored breaker', () => {
  test('is open for as long as the gateway keeps it so, and then waits for a call', () => {
    expect(openMs).toBe(breakerLimits.halfOpenMs);
    const stored = { ownState: { value: 1, openedAt: 1_000, attemptNo: 1 }, breakerState: 5 };
    expect(breakerState(stored, 2_000)).toEqual({ state: 'open', openUntil: 31_000 });
    expect(breakerState(stored, 31_000)).toEqual({ state: 'half_open', openUntil: null });
    expect(breakerState({ ownState: { value: 1, openedAt: 0 } }, 40_000)).toEqual({ state: 'half_open', openUntil: null });
    expect(breakerState({ ownState: { value: 0 } }, 0)).toEqual({ state: 'closed', openUntil: null });
  });

  test('is closed where nothing is known of it', () => {
    for (const stored of [null, {}, 7, 'x', { ownState: null }, { ownState: [] }])
      expect(breakerState(stored, 0)).toEqual({ state: 'closed', openUntil: null });
  });
});
