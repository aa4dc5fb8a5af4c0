import type { Database } from '../src/db/database.ts';
import { sequenceEvents } from '../src/db/events.sql.ts';
import { createSequencer } from '../src/db/sequencer.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { silentLog } from '../src/kernel/log.ts';
import { hashSecret, randomSecret } from '../src/kernel/secret.ts';
import { createClaims } from '../src/stages/runs/queue/claim.ts';
import { type Bench, type Figure, figure, rate, type Stage } from './harness/bench.ts';
import {
  bareClaim,
  emptyQueues,
  engineSessions,
  enterSession,
  fillBareRuns,
  fillRuns,
  fillTickets,
  makeBareTables,
  settle,
} from './harness/fill.sql.ts';
import { openPlace, type Place, servers } from './harness/place.ts';
import { benchCapabilities, benchSettings } from './harness/settings.ts';
import { coreUs } from './harness/processes.ts';
import { emptyFloor, fillFloorRuns, fillFloorTickets, makeFloorTables, settleFloor } from './peers/floor.sql.ts';
import { openFloor } from './peers/floor.ts';

const rounds = 5;
const depths = [10_000, 100_000];
/** Claimers and how many claims they make in a round, some half a second of work. */
const crowds = [
  { claimers: 1, count: 500 },
  { claimers: 16, count: 1_500 },
];

export const claims: Bench = {
  name: 'claims',
  about: 'Claims from a deep queue, beside the bare statement and one that writes the same rows, on the same server, in turns.',
  async run(stage) {
    const all: Figure[] = [];
    for (const { server, on } of servers) {
      const place = await openPlace(stage, server);
      for (const statement of [...makeBareTables, ...makeFloorTables]) await place.superuser.query(statement);
      for (const depth of depths) {
        const queue = createQueue(place, depth);
        for (const { claimers, count } of crowds) all.push(...(await compare(stage, { place, queue, claimers, count, on })));
      }
    }
    return all;
  },
};

/** Tops the queues up to a depth, as new work comes in where old was claimed. */
function createQueue({ superuser, tenantId, projectId }: Place, depth: number) {
  const filled = { ours: 0, bare: 0, floor: 0 };
  const wanting = { ours: depth, bare: depth, floor: depth };
  return {
    depth,
    taken(count: number) {
      // Two of the variants claim from the product's own queue.
      wanting.ours += 2 * count;
      wanting.bare += count;
      wanting.floor += count;
    },
    async topUp() {
      if (filled.ours === 0) for (const statement of [...emptyQueues, emptyFloor]) await superuser.query(statement);
      await superuser.query(fillTickets, [tenantId, projectId, wanting.ours, filled.ours + 1]);
      await superuser.query(fillRuns, [tenantId, wanting.ours, filled.ours + 1, projectId]);
      await superuser.query(fillBareRuns, [tenantId, wanting.bare, filled.bare + 1, projectId]);
      await superuser.query(fillFloorTickets, [tenantId, projectId, wanting.floor, filled.floor + 1]);
      await superuser.query(fillFloorRuns, [tenantId, wanting.floor, filled.floor + 1, projectId]);
      for (const each of ['ours', 'bare', 'floor'] as const) {
        filled[each] += wanting[each];
        wanting[each] = 0;
      }
      for (const statement of [...settleFloor, ...settle]) await superuser.query(statement);
    },
  };
}

interface Comparison {
  readonly place: Place;
  readonly queue: ReturnType<typeof createQueue>;
  readonly claimers: number;
  readonly count: number;
  readonly on: string;
}

async function compare(stage: Stage, { place, queue, claimers, count, on }: Comparison): Promise<Figure[]> {
  const given: Record<Variant, Measured[]> = { bare: [], floor: [], ours: [], sequenced: [] };
  for (let round = 0; round < rounds; round++) {
    await queue.topUp();
    // Who goes first changes, so that what the filling leaves behind is everybody's burden in turn.
    for (let i = 0; i < order.length; i++) {
      const variant = order[(round + i) % order.length] ?? 'bare';
      given[variant].push(await measureClaims(place, { variant, claimers, count }));
    }
    queue.taken(count);
    const shown = order.map(variant => `${variant} ${Math.round(given[variant][round]?.perSecond ?? 0)}/s`);
    stage.say(`${queue.depth} queued, ${claimers} claimers, round ${round + 1}: ${shown.join(', ')}`);
  }
  return figures(given, `${queue.depth} queued, ${claimers} ${claimers === 1 ? 'claimer' : 'claimers'}${on}`);
}

/** `floor`: writes the rows that a claim writes, on tables without walls, triggers and foreign keys. */
type Variant = 'bare' | 'floor' | 'ours' | 'sequenced';
const order: readonly Variant[] = ['bare', 'floor', 'ours', 'sequenced'];

interface Measured {
  readonly perSecond: number;
  /** Of a core, spent by the connections' processes of PostgreSQL. */
  readonly usPerClaim: number;
}

function figures(given: Readonly<Record<Variant, readonly Measured[]>>, at: string): Figure[] {
  const speed = (variant: Variant) => given[variant].map(({ perSecond }) => perSecond);
  const cost = (variant: Variant) => given[variant].map(({ usPerClaim }) => usPerClaim);
  const over = (above: readonly number[], below: readonly number[]) => above.map((value, i) => value / (below[i] ?? Number.NaN));
  return [
    figure(`bare statement, ${at}`, 'claims/s', { values: speed('bare') }),
    figure(`floor, ${at}`, 'claims/s', { values: speed('floor') }),
    figure(`claimNext, ${at}`, 'claims/s', { values: speed('ours') }),
    figure(`claimNext and sequencer, ${at}`, 'claims/s', { values: speed('sequenced') }),
    figure(`claimNext / bare, ${at}`, 'ratio', {
      values: over(speed('ours'), speed('bare')),
      goal: { is: 'at least', value: 0.8 },
    }),
    figure(`claimNext and sequencer / bare, ${at}`, 'ratio', { values: over(speed('sequenced'), speed('bare')) }),
    figure(`floor / bare, ${at}`, 'ratio', { values: over(speed('floor'), speed('bare')) }),
    figure(`core time of the bare statement, ${at}`, 'µs/claim', { values: cost('bare') }),
    figure(`core time of the floor, ${at}`, 'µs/claim', { values: cost('floor') }),
    figure(`core time of claimNext, ${at}`, 'µs/claim', { values: cost('ours') }),
    figure(`core time, bare / claimNext, ${at}`, 'ratio', { values: over(cost('bare'), cost('ours')) }),
    figure(`core time, floor / claimNext, ${at}`, 'ratio', { values: over(cost('floor'), cost('ours')) }),
  ];
}

interface Turn {
  readonly variant: Variant;
  readonly claimers: number;
  readonly count: number;
}

export async function measureClaims(place: Place, { variant, claimers, count }: Turn): Promise<Measured> {
  // Connections that were idle for long are gone: a round measures claims, not logins.
  await Promise.all(Array.from({ length: claimers }, () => place.enginePool.query(enterSession)));
  const sessions = await place.superuser.query(engineSessions);
  const pids = sessions.map(({ pid }) => pid);
  const claim = { bare: claimBare, floor: claimFloor, ours: claimOurs, sequenced: claimSequenced }[variant];
  const before = coreUs(pids);
  const perSecond = await claim(place, claimers, count);
  return { perSecond, usPerClaim: (coreUs(pids) - before) / count };
}

async function claimBare({ enginePool, tenantId }: Place, claimers: number, count: number): Promise<number> {
  const taken = new Set<string>();
  const perSecond = await rate(count, claimers, async lane => {
    // The same work of the client as in claimNext.
    const hash = hashSecret(randomSecret());
    const [run] = await enginePool.query(bareClaim, [tenantId, `bench-${lane}`, hash]);
    if (run !== undefined) taken.add(run.id);
  });
  checkAll(taken, count);
  return perSecond;
}

/** The least that writes the same rows, together as ours. */
async function claimFloor(place: Place, claimers: number, count: number): Promise<number> {
  const taken = new Set<string>();
  const { claim } = openFloor(place, 'together');
  const perSecond = await rate(count, claimers, async lane => taken.add((await claim(`bench-${lane}`)).id));
  checkAll(taken, count);
  return perSecond;
}

async function claimOurs(place: Place, claimers: number, count: number): Promise<number> {
  return claimOn({ ...place.database, enginePool: place.enginePool, committed() {} }, place, { claimers, count });
}

/** As in a server, whose sequencer gives each event its position while claims go on. */
async function claimSequenced(place: Place, claimers: number, count: number): Promise<number> {
  const listeners: (() => void)[] = [];
  const database: Database = {
    ...place.database,
    onCommit: callback => void listeners.push(callback),
    committed() {
      for (const listener of listeners) listener();
    },
  };
  await drain(database);
  const sequencer = createSequencer(database, systemClock, silentLog);
  sequencer.start();
  try {
    return await claimOn({ ...database, enginePool: place.enginePool }, place, { claimers, count });
  } finally {
    await sequencer.stop();
  }
}

async function drain({ enginePool }: Database): Promise<void> {
  const batchMax = 1_000;
  for (;;) {
    const [row] = await enginePool.query(sequenceEvents, [batchMax]);
    if (row?.sequenceEvents !== batchMax) return;
  }
}

async function claimOn(
  database: Database,
  { tenantId }: Place,
  { claimers, count }: { claimers: number; count: number },
): Promise<number> {
  const taken = new Set<string>();
  // As the desk does it for all who wait on a server.
  const claim = createClaims(database, benchSettings);
  const perSecond = await rate(count, claimers, async lane => {
    const worker = `bench-${lane}`;
    const claimed = await claim({
      tenantId,
      actor: `worker:${worker}`,
      worker,
      capabilities: benchCapabilities,
    });
    if (claimed !== undefined) taken.add(claimed.run.id);
  });
  checkAll(taken, count);
  return perSecond;
}

/** A claim that came back empty, or a run that two had, would be a fast one. */
function checkAll(taken: ReadonlySet<string>, count: number): void {
  if (taken.size !== count) throw new Error(`${count} claims gave ${taken.size} different runs`);
}
