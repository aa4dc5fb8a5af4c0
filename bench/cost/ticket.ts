import { type Bench, type Figure, figure, quantile, type Stage } from '../harness/bench.ts';
import { emptyQueues, fillRuns, fillTickets, makeBareTables, settle } from '../harness/fill.sql.ts';
import { openPlace, type Place } from '../harness/place.ts';
import { coreUs } from '../harness/processes.ts';
import { flow } from '../../src/flow.ts';
import { readTop } from '../../src/observers/top/read.ts';
import { plannedAnew, tableBytes, walBytes } from './cost.sql.ts';
import { countStatements, type Counter } from './statements.ts';
import { openWay, type Way } from './way.ts';

const rounds = 3;
const ticketsARound = 30;
const looks = 10;
/** Statements that are named as those that take longest. */
const longestMax = 12;
type Longest = ReturnType<Counter['longest']>[number];
/** Tickets that wait, each with its run. */
const depths = [1_000, 100_000, 1_000_000];

export const ticketCost: Bench = {
  name: 'ticket-cost',
  about:
    'What a ticket costs the server from ready to completed, without workers and git, where 1,000 to 1,000,000 wait; and GET /api/top.',
  async run(stage) {
    const place = await openPlace(stage);
    for (const statement of [...makeBareTables, ...emptyQueues]) await place.superuser.query(statement);
    const database = place.open(flow);
    const counter = countStatements(database.enginePool.raw);
    const way = await openWay(stage, place, database);
    const found: Figure[] = [];
    let filled = 0;
    for (const depth of depths) {
      await fill(place, filled + 1, depth - filled);
      filled = depth;
      found.push(...(await measure(stage, { place, way, counter, depth })), await top(place, depth));
    }
    for (const { name, plans } of await way.database.enginePool.query(plannedAnew))
      stage.say(`planned anew ${plans} times: ${name}`);
    return found;
  },
};

async function fill({ superuser, tenantId, projectId }: Place, from: number, count: number): Promise<void> {
  const atOnce = 50_000;
  for (let at = from; at < from + count; at += atOnce) {
    const part = Math.min(atOnce, from + count - at);
    await superuser.query(fillTickets, [tenantId, projectId, part, at]);
    await superuser.query(fillRuns, [tenantId, part, at, projectId]);
  }
  for (const statement of settle) await superuser.query(statement);
}

interface Measurement {
  readonly place: Place;
  readonly way: Way;
  readonly counter: Counter;
  readonly depth: number;
}

interface Cost {
  readonly ms: number;
  readonly coreUs: number;
  readonly statements: number;
  readonly walBytes: number;
}

async function measure(stage: Stage, { place, way, counter, depth }: Measurement): Promise<Figure[]> {
  const costs = new Map<string, Cost[]>(way.steps.map(({ name }) => [name, []]));
  const stored: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [before] = await place.superuser.query(tableBytes);
    await way.open(ticketsARound);
    counter.longest(0);
    for (const { name, walk } of way.steps) costs.get(name)?.push(await costOf(place, counter, walk));
    const [after] = await place.superuser.query(tableBytes);
    stored.push(((after?.bytes ?? 0) - (before?.bytes ?? 0)) / ticketsARound);
    stage.say(`${depth} wait, round ${round + 1}: ${ticketsARound} tickets completed`);
    const each = ({ name, times, ms }: Longest) =>
      `${name} ${(ms / ticketsARound).toFixed(2)} ms in ${(times / ticketsARound).toFixed(1)}`;
    stage.say(`of each: ${counter.longest(longestMax).map(each).join(', ')}`);
  }
  const at = `${depth} wait`;
  const all = Array.from({ length: rounds }, (_, round) =>
    [...costs.values()].map(each => each[round]).filter(each => each !== undefined),
  );
  return [
    ...[...costs].flatMap(([name, each]) => costFigures(`${name}, ${at}`, each)),
    ...costFigures(`ready to completed, ${at}`, all.map(total)),
    figure(`tables grow by, ${at}`, 'bytes/ticket', { values: stored }),
  ];
}

async function costOf({ superuser }: Place, counter: Counter, walk: () => Promise<void>): Promise<Cost> {
  const written = async () => (await superuser.query(walBytes))[0]?.bytes ?? 0;
  const [wal, statements, core, from] = [await written(), counter.count(), coreUs(counter.pids()), performance.now()];
  await walk();
  return {
    ms: (performance.now() - from) / ticketsARound,
    coreUs: (coreUs(counter.pids()) - core) / ticketsARound,
    statements: (counter.count() - statements) / ticketsARound,
    walBytes: ((await written()) - wal) / ticketsARound,
  };
}

function total(costs: readonly Cost[]): Cost {
  const sum = (of: (cost: Cost) => number) => costs.reduce((all, cost) => all + of(cost), 0);
  return {
    ms: sum(cost => cost.ms),
    coreUs: sum(cost => cost.coreUs),
    statements: sum(cost => cost.statements),
    walBytes: sum(cost => cost.walBytes),
  };
}

function costFigures(what: string, costs: readonly Cost[]): Figure[] {
  return [
    figure(what, 'ms', { values: costs.map(({ ms }) => ms) }),
    figure(`${what}: core time of PostgreSQL`, 'µs', { values: costs.map(each => each.coreUs) }),
    figure(`${what}: round trips`, 'statements', { values: costs.map(({ statements }) => statements) }),
    figure(`${what}: written ahead`, 'bytes', { values: costs.map(each => each.walBytes) }),
  ];
}

async function top({ database, tenantId }: Place, depth: number): Promise<Figure> {
  const took: number[] = [];
  for (let look = 0; look < looks; look++) {
    const from = performance.now();
    await readTop(database, { tenantId, actor: 'bench' });
    took.push(performance.now() - from);
  }
  return figure(`GET /api/top, its statements, ${depth} wait, p50`, 'ms', { values: [quantile(took, 0.5)] });
}
