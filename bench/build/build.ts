import { type Bench, type Figure, figure, latency, quantile, type Stage } from '../harness/bench.ts';
import { freshServer, startWorker } from '../harness/processes.ts';
import { type Built, build, cardOf, repositoryOf } from './builds.ts';
import { mergedToClaimed, phases, phasesOf } from './log.ts';

const endMs = 600_000;
const rounds = 3;
/** Of the wide ones, which take longest. */
const wideRounds = 2;

/** A build by a worker with so many slots, on a server of its own; the first build of a server warms what is made once. */
async function builds(
  stage: Stage,
  { slots, files, cards }: { slots: number; files: number; cards: readonly [number, number][] },
): Promise<Built[]> {
  const { server, client } = await freshServer(stage);
  await startWorker(stage, { server, client, slots });
  const repository = repositoryOf(stage, files);
  const built: Built[] = [];
  for (const [index, [count, width]] of cards.entries()) {
    const name = `b${index}`;
    const card = { ...cardOf(count, width), name };
    const before = built.at(-1)?.log.length ?? 0;
    const one = await build(client, { name, card, repository, endMs });
    built.push({ ...one, log: one.log.slice(before) });
    stage.say(`${count} tickets, ${slots} at once, ${files} files: ${Math.round(one.totalMs)} ms`);
  }
  await server.stop();
  return built;
}

/** Without the first, which warms up. */
function measured(all: readonly Built[]): readonly Built[] {
  return all.slice(1);
}

const repeated = (card: [number, number], count = rounds): [number, number][] => Array.from({ length: count + 1 }, () => card);

export const buildBench: Bench = {
  name: 'build',
  about: 'From start-build to merged, published and validated, with an agent that works for no time and a check that is quick.',
  async run(stage) {
    const one = measured(await builds(stage, { slots: 2, files: 20, cards: repeated([1, 1]) }));
    const twenty = measured(await builds(stage, { slots: 2, files: 20, cards: repeated([20, 2]) }));
    const wide: Figure[] = [];
    for (const slots of [1, 2, 8]) {
      const all = measured(await builds(stage, { slots, files: 20, cards: repeated([24, 24], wideRounds) }));
      const perMinute = all.map(({ totalMs }) => (24 / totalMs) * 60_000);
      wide.push(figure(`tickets a minute, 24 that wait for nothing, ${slots} at once`, 'tickets/min', { values: perMinute }));
    }
    const large = await builds(stage, {
      slots: 2,
      files: 10_000,
      cards: [
        [1, 1],
        [4, 2],
      ],
    });
    return [
      figure('one ticket to merged and published', 'ms', {
        values: one.map(built => built.totalMs),
        goal: { is: 'at most', value: 3_000 },
      }),
      figure('20 tickets, two at a time', 'ms', {
        values: twenty.map(built => built.totalMs),
        goal: { is: 'at most', value: 20_000 },
      }),
      ...wide,
      ...phaseFigures('of a ticket, one at a time', one),
      ...phaseFigures('of 20 tickets, two at a time', twenty),
      figure('10,000 files: one ticket, the first of the repository', 'ms', {
        values: large.slice(0, 1).map(built => built.totalMs),
      }),
      figure('10,000 files: 4 tickets, two at a time', 'ms', { values: large.slice(1).map(built => built.totalMs) }),
      ...phaseFigures('10,000 files', large),
    ];
  },
};

export const graphBench: Bench = {
  name: 'build-500',
  about: 'A graph of 500 tickets, 8 at once, to merged and published.',
  async run(stage) {
    const [built] = await builds(stage, { slots: 8, files: 20, cards: [[500, 25]] });
    if (built === undefined) throw new Error('nothing was built');
    return [
      figure('500 tickets, 8 at once', 's', { values: [built.totalMs / 1_000] }),
      figure('500 tickets, 8 at once: tickets a minute', 'tickets/min', { values: [(500 / built.totalMs) * 60_000] }),
      ...phaseFigures('of 500 tickets', [built]),
    ];
  },
};

/** Links of the chain whose change is merged before the next is claimed. */
const links = 25;

export const mergeToClaim: Bench = {
  name: 'merge-to-claim',
  about:
    'From the merge of a change to the claim of the ticket that waited for it; a chain of tickets, and a worker with a free slot.',
  async run(stage) {
    const all = measured(await builds(stage, { slots: 2, files: 20, cards: repeated([links, 1]) }));
    const rounds = all.map(({ log }) => mergedToClaimed(log));
    if (rounds.some(each => each.length < links - 1)) throw new Error('a link of the chain was not found in the log');
    const of = (share: number) => rounds.map(values => quantile(values, share));
    return [
      figure('change merged → dependant claimed, p50', 'ms', { values: of(0.5) }),
      figure('change merged → dependant claimed, p99', 'ms', { values: of(0.99), goal: { is: 'at most', value: 50 } }),
    ];
  },
};

function phaseFigures(what: string, built: readonly Built[]): Figure[] {
  const found = built.map(({ log }) => phasesOf(log));
  return phases.flatMap(phase => latency(`${what}: ${phase}`, { rounds: found.map(all => all.map(each => each[phase])) }));
}
