import type { Database } from '../src/db/database.ts';
import { sequenceEvents } from '../src/db/events.sql.ts';
import { createSequencer } from '../src/db/sequencer.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { silentLog } from '../src/kernel/log.ts';
import { hashSecret, randomSecret } from '../src/kernel/secret.ts';
import { claimNext } from '../src/stages/runs/queue/claim.ts';
import { type Bench, type Figure, figure, rate, type Stage } from './harness/bench.ts';
import { bareClaim, emptyQueues, fillBareRuns, fillRuns, fillTickets, makeBareTables, settle } from './harness/fill.sql.ts';
import { openPlace, type Place } from './harness/place.ts';

const rounds = 7;
const depths = [10_000, 100_000];
/** Claimers and how many claims they make in a round, some half a second of work. */
const crowds = [
  { claimers: 1, count: 1_000 },
  { claimers: 16, count: 2_000 },
];

export const claims: Bench = {
  name: 'claims',
  about: 'Claims from a deep queue, beside the bare statement on the same server, in turns.',
  async run(stage) {
    const place = await openPlace(stage);
    for (const statement of makeBareTables) await place.superuser.query(statement);
    const figures: Figure[] = [];
    for (const depth of depths) {
      const queue = createQueue(place, depth);
      for (const { claimers, count } of crowds) figures.push(...(await compare(stage, { place, queue, claimers, count })));
    }
    return figures;
  },
};

/** Tops both queues up to a depth, as new work comes in where old was claimed. */
function createQueue({ superuser, tenantId, projectId }: Place, depth: number) {
  let filled = 0;
  let wanting = depth;
  return {
    depth,
    taken: (count: number) => void (wanting += count),
    async topUp() {
      if (filled === 0) for (const statement of emptyQueues) await superuser.query(statement);
      await superuser.query(fillTickets, [tenantId, projectId, wanting, filled + 1]);
      await superuser.query(fillRuns, [tenantId, wanting, filled + 1]);
      await superuser.query(fillBareRuns, [tenantId, wanting, filled + 1]);
      filled += wanting;
      wanting = 0;
      for (const statement of settle) await superuser.query(statement);
    },
  };
}

interface Comparison {
  readonly place: Place;
  readonly queue: ReturnType<typeof createQueue>;
  readonly claimers: number;
  readonly count: number;
}

async function compare(stage: Stage, { place, queue, claimers, count }: Comparison): Promise<Figure[]> {
  const rates = { bare: [] as number[], ours: [] as number[], sequenced: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const variants = [
      async () => rates.bare.push(await claimBare(place, claimers, count)),
      async () => rates.ours.push(await claimOurs(place, claimers, count)),
      async () => rates.sequenced.push(await claimSequenced(place, claimers, count)),
    ];
    await queue.topUp();
    // Who goes first changes, so that what the filling leaves behind is everybody's burden in turn.
    for (let i = 0; i < variants.length; i++) await variants[(round + i) % variants.length]?.();
    // Ours was claimed from twice and the bare one once.
    queue.taken(2 * count);
    stage.say(`${queue.depth} queued, ${claimers} claimers, round ${round + 1}: ${shown(rates, round)}`);
  }
  const at = `${queue.depth} queued, ${claimers} ${claimers === 1 ? 'claimer' : 'claimers'}`;
  const beside = (values: readonly number[]) => values.map((value, i) => value / (rates.bare[i] ?? Number.NaN));
  return [
    figure(`bare statement, ${at}`, 'claims/s', { values: rates.bare }),
    figure(`claimNext, ${at}`, 'claims/s', { values: rates.ours }),
    figure(`claimNext and sequencer, ${at}`, 'claims/s', { values: rates.sequenced }),
    figure(`claimNext / bare, ${at}`, 'ratio', { values: beside(rates.ours), goal: { is: 'at least', value: 0.8 } }),
    figure(`claimNext and sequencer / bare, ${at}`, 'ratio', { values: beside(rates.sequenced) }),
  ];
}

function shown(rates: Readonly<Record<string, readonly number[]>>, round: number): string {
  return Object.entries(rates)
    .map(([name, values]) => `${name} ${Math.round(values[round] ?? 0)}/s`)
    .join(', ');
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
  const settings = {
    ...{ leaseMs: 15_000, heartbeatMs: 5_000, attemptsMax: 3, retryMs: 2_000 },
    limits: {
      ...{ timeout_ms: 0, output_bytes_max: 0, bundle_bytes_max: 0, memory_bytes: 0, process_count: 0, cpu_count: 0, tmp_bytes: 0 },
    },
  };
  const perSecond = await rate(count, claimers, async lane => {
    const worker = `bench-${lane}`;
    const claimed = await claimNext(
      database,
      { tenantId, actor: `worker:${worker}`, worker, capabilities: ['agent:exec'] },
      settings,
    );
    if (claimed !== undefined) taken.add(claimed.run.id);
  });
  checkAll(taken, count);
  return perSecond;
}

/** A claim that came back empty, or a run that two had, would be a fast one. */
function checkAll(taken: ReadonlySet<string>, count: number): void {
  if (taken.size !== count) throw new Error(`${count} claims gave ${taken.size} different runs`);
}
