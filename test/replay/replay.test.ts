import { describe, expect, test } from 'vitest';
import { eventTypes } from '../../contract/events.ts';
import { machines } from '../../tidy/generate/states.ts';
import { keptLogs } from './corpus.ts';
import { differences, type Row } from './drift.ts';
import { fold, type Told } from './fold.ts';
import { type Kind, silent, steps } from './steps.ts';

const kept = keptLogs();

describe('every log that was kept', () => {
  test.each(kept)('$name comes to what it came to then', ({ log, standing }) => {
    const replay = fold(log);
    expect(replay.findings).toEqual([]);
    expect(replay.standing).toEqual(standing);
  });

  test('together they hold each kind of thing, and all that can happen', () => {
    const types = new Set(kept.flatMap(({ log }) => log.map(({ type }) => type)));
    const kinds = new Set([...types].map(type => steps[type as keyof typeof steps]?.of));
    expect(Object.keys(machines).filter(kind => !kinds.has(kind as Kind))).toEqual([]);
    expect(eventTypes.filter(type => !types.has(type))).toEqual([]);
  });

  test('each is of a spec that is finished', () => {
    const states = kept.flatMap(({ standing }) => Object.values(standing.spec).map(({ state }) => state));
    expect(states.length).toBeGreaterThanOrEqual(kept.length);
    expect(new Set(states)).toEqual(new Set(['completed', 'cancelled']));
  });
});

describe('a fold', () => {
  const run = (type: string, payload: object = {}): Told => ({
    type,
    subject: { type: 'run', id: 'r' },
    payload: { subject: 'TKT-001', ...payload },
  });
  const ticket = (type: string, payload: object): Told => ({
    type,
    subject: { type: 'ticket', id: 'TKT-001' },
    payload: { ...payload },
  });

  test('goes along the machine, also where an edge on the way is silent', () => {
    const log = [
      run('run.queued'),
      run('run.leased'),
      run('run.reported', { state: 'starting' }),
      run('run.lost', { state: 'lost' }),
    ];
    expect(fold(log)).toMatchObject({ findings: [], standing: { run: { r: { state: 'lost', subject: 'TKT-001' } } } });
  });

  test.each([
    {
      what: 'an edge that there is not',
      log: [run('run.queued'), run('run.submitted')],
      says: "the run r is queued, from where its machine has no edge 'submit'",
    },
    {
      what: 'something after the end',
      log: [run('run.queued'), run('run.cancelled'), run('run.returned')],
      says: "the run r is cancelled, from where its machine has no edge 'return' or 'resume'",
    },
    {
      what: 'another state than that to which it leads',
      log: [run('run.queued'), run('run.leased'), run('run.failed', { state: 'lost' })],
      says: 'says that the run r is lost, and its machine leads to failed',
    },
    {
      what: 'a state that nothing has led to',
      log: [run('run.queued'), run('run.health', { state: 'working' })],
      says: 'the run r is queued, from where its machine has no silent way to working',
    },
    { what: 'a thing without its beginning', log: [run('run.leased')], says: 'the run r was never heard of before' },
    { what: 'a beginning where none is', log: [run('run.queued', { state: 'working' })], says: 'no run begins as working' },
    {
      what: 'an event of no known type',
      log: [run('run.teleported')],
      says: 'is of no type that is known: it needs an upcaster',
    },
  ])('finds $what', ({ log, says }) => {
    expect(fold(log).findings).toEqual([{ event: log.length, type: log.at(-1)?.type, says }]);
  });

  test('lets an epic follow its tickets without an edge', () => {
    const log = [
      ticket('ticket.created', { type: 'epic', status: 'running' }),
      ticket('epic.failed', { status: 'failed' }),
      ticket('epic.completed', { status: 'completed' }),
    ];
    expect(fold(log)).toMatchObject({ findings: [], standing: { ticket: { 'TKT-001': { state: 'completed', type: 'epic' } } } });
  });

  test('is compared with rows, each of which must be told of as it is', () => {
    const log = [run('run.queued', { attempt: 1 }), run('run.leased')];
    const row = (known: Row['known']): Row => ({ kind: 'run', id: 'r', known });
    expect(differences(log, [row({ state: 'starting', subject: 'TKT-001', attempt: 1 })])).toEqual([]);
    expect(differences(log, [row({ state: 'queued', subject: 'TKT-001', attempt: 2 })])).toEqual([
      'run r: is queued, and its events say leased',
      'run r: its attempt is 2, and its events say 1',
    ]);
    expect(differences(log, [])).toEqual(['run r: is told of, and there is no row']);
    expect(differences([], [row({ state: 'queued' })])).toEqual(['run r: is a row that is queued, and no event tells of it']);
  });
});

test('of every verb of a machine an event tells, but of those that are silent and those that nothing does', () => {
  const told = new Set([
    // A spec is planned in the words of its session.
    'spec plan',
    ...Object.values(steps).flatMap(step =>
      step !== null && 'verbs' in step ? step.verbs.map(verb => `${step.of} ${verb}`) : [],
    ),
  ]);
  const kinds = Object.keys(machines) as Kind[];
  const verbs = kinds.flatMap(kind => {
    const names = new Set(Object.values(machines[kind].machine).flatMap(edges => Object.keys(edges)));
    return [...names].filter(verb => !(silent[kind] ?? []).includes(verb)).map(verb => `${kind} ${verb}`);
  });
  expect(verbs.filter(verb => !told.has(verb))).toEqual(['session ask', 'session fail', 'spec fail', 'review start']);
  expect([...told].filter(verb => !verbs.includes(verb))).toEqual([]);
});
