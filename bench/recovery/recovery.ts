import { type Bench, type Figure, figure, type Goal, type Stage } from '../harness/bench.ts';
import { build } from '../harness/processes.ts';
import { agentDies, databaseDies, serverDies, startDies, type Timings, workerDies, workerDiesForGood } from './deaths.ts';

const rounds = 3;

const atMost = (value: number): Goal => ({ is: 'at most', value });

/** What is killed; and of what is measured, by its name: what it is called in the table, and its goal in milliseconds. */
const deaths: readonly {
  readonly what: string;
  readonly die: (stage: Stage) => Promise<Timings>;
  readonly figures: Readonly<Record<string, readonly [name: string, goalMs?: number]>>;
}[] = [
  { what: 'skep start', die: startDies, figures: { ready: ['ready again'], done: ['all work done', 20_000] } },
  { what: 'server', die: serverDies, figures: { ready: ['ready again'], done: ['all work done', 20_000] } },
  { what: 'worker', die: workerDies, figures: { done: ['all work done'] } },
  // The lease is 15 s.
  {
    what: 'worker for good',
    die: workerDiesForGood,
    figures: { again: ['claimed by another', 17_000], done: ['all work done'] },
  },
  { what: 'database', die: databaseDies, figures: { back: ['ready again', 15_000], done: ['all work done'] } },
  {
    ...{ what: 'agent', die: agentDies },
    figures: { noticed: ['noticed', 2_000], again: ['works again', 10_000], done: ['all work done'] },
  },
];

export const recovery: Bench = {
  name: 'recovery',
  about: 'kill -9 of each part with all settings at their defaults, from the kill; 4 tickets of a second, 1 where an agent dies.',
  async run(stage) {
    build();
    const found: Figure[] = [];
    for (const { what, die, figures } of deaths) {
      const all: Timings[] = [];
      for (let round = 0; round < rounds; round++) all.push(await die(stage));
      stage.say(`${what}: ${JSON.stringify(all)}`);
      for (const [key, [name, goalMs]] of Object.entries(figures)) {
        const values = all.map(timings => timings[key] ?? Number.NaN);
        const goal = goalMs === undefined ? {} : { goal: atMost(goalMs) };
        found.push(figure(`${what} killed: ${name}`, 'ms', { values, ...goal }));
      }
    }
    return found;
  },
};
