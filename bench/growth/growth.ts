import { openPool, type Pool } from '../../src/db/pool.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { readTop } from '../../src/observers/top/read.ts';
import { claimRuns } from '../../src/stages/runs/queue/claim.sql.ts';
import { measureClaims } from '../claims.ts';
import { looksOf } from '../cost/decision.ts';
import { type Bench, type Figure, figure, quantile, type Stage } from '../harness/bench.ts';
import { emptyQueues, engineSessions, enterSession, fillBareRuns, makeBareTables, settle } from '../harness/fill.sql.ts';
import { openPlace, type Place } from '../harness/place.ts';
import { benchCapabilities } from '../harness/settings.ts';
import { coreUs } from '../harness/processes.ts';
import { openOurs } from '../peers/ours.ts';
import type { Peer } from '../peers/peer.ts';
import { databaseBytes, trustRows } from './growth.sql.ts';
import { served } from './served.ts';

/** Tickets that wait, each with its run. */
const depths = [1_000, 10_000, 100_000, 1_000_000];
const rounds = 5;
const crowds = [
  { workers: 1, count: 50 },
  { workers: 8, count: 200 },
];
/** Claims beside the bare statement, in turns. */
const claimCrowds = [
  { claimers: 1, count: 100 },
  { claimers: 16, count: 320 },
];
const looks = 10;
const filledAtOnce = 50_000;
/** What a claim and a hand-in may cost among a million, in terms of what they cost among a thousand. */
const goal = { is: 'at most', value: 1.5 } as const;

export const growth: Bench = {
  name: 'growth',
  about:
    'Claims, hand-ins, the decision what goes next, GET /api/top, a server at rest and merge to claim, where 1,000 to 1,000,000 wait.',
  async run(stage) {
    const queue = await openQueue(stage);
    const measured = new Map<number, Measured>();
    let filled = 0;
    for (const depth of depths) {
      await fill(queue, depth - filled);
      filled = depth;
      const found = await measure(queue, depth);
      measured.set(depth, found);
      stage.say(found.figures.map(({ name, median, unit }) => `${name}: ${median.toFixed(1)} ${unit}`).join('\n  '));
    }
    const figures = [...[...measured.values()].flatMap(({ figures }) => figures), ...grown(measured)];
    figures.push(...(await served(stage, queue.place, filled)));
    const few = await openQueue(stage);
    await fill(few, depths[0] ?? 0);
    return [...figures, ...(await served(stage, few.place, depths[0] ?? 0))];
  },
};

/** Tickets that wait for workers that claim as the server does, and as many rows for the bare statement. */
interface Queue {
  readonly place: Place;
  readonly workers: Peer;
  readonly fill: (count: number) => Promise<void>;
  readonly fillBare: (count: number) => Promise<void>;
}

async function openQueue(stage: Stage): Promise<Queue> {
  const place = await openPlace(stage);
  for (const statement of [...makeBareTables, ...emptyQueues]) await place.superuser.query(statement);
  const filler = await openFiller(stage, place);
  const workers = openOurs({ ...place, superuser: filler }, 'in turn', 'far');
  let bare = 0;
  return {
    ...{ place, workers, fill: count => workers.fill(count) },
    async fillBare(count) {
      await filler.query(fillBareRuns, [place.tenantId, count, bare + 1, place.projectId]);
      bare += count;
    },
  };
}

/** A connection that fills tables without looking each row up. */
async function openFiller(stage: Stage, { superuserUrl }: Place): Promise<Pool> {
  const url = new URL(superuserUrl);
  url.pathname = '/skep';
  const filler = openPool(url.href, silentLog, 1);
  stage.atEnd(() => filler.close());
  await filler.query(trustRows);
  return filler;
}

async function fill({ fill, fillBare }: Queue, count: number): Promise<void> {
  for (let left = count; left > 0; left -= filledAtOnce)
    for (const each of [fill, fillBare]) await each(Math.min(left, filledAtOnce));
}

interface Measured {
  readonly figures: readonly Figure[];
  /** Of claim and hand-in together, by how many work at once: what each round took of a core, µs a job. */
  readonly jobUs: ReadonlyMap<number, readonly number[]>;
}

async function measure(queue: Queue, depth: number): Promise<Measured> {
  const { place, workers } = queue;
  const at = `${depth} wait`;
  const jobUs = new Map<number, number[]>(crowds.map(crowd => [crowd.workers, []]));
  const speeds = new Map<number, number[]>(crowds.map(crowd => [crowd.workers, []]));
  // As in a database that has run for a while; once for each depth, since it takes a minute of a million.
  for (const statement of settle) await place.superuser.query(statement);
  for (let round = 0; round < rounds; round++) {
    for (const crowd of crowds) {
      await queue.fill(crowd.count);
      const { perSecond, us } = await work(place, workers, crowd);
      speeds.get(crowd.workers)?.push(perSecond);
      jobUs.get(crowd.workers)?.push(us);
    }
  }
  const decided = await looksOf(place, claimRuns, [
    ...[place.tenantId, benchCapabilities, 15_000],
    ...[['bench'], [Buffer.from('00', 'hex')], [Buffer.from('00', 'hex')]],
  ]);
  const [size] = await place.superuser.query(databaseBytes);
  const figures = [
    ...crowds.flatMap(({ workers: count }) => [
      figure(`claim and hand-in, ${count} at once, ${at}`, 'jobs/s', { values: speeds.get(count) ?? [] }),
      figure(`core time of claim and hand-in, ${count} at once, ${at}`, 'µs/job', { values: jobUs.get(count) ?? [] }),
    ]),
    ...(await claimRatios(queue, at)),
    figure(`decision, nothing holds back, ${at}, p50`, 'ms', { values: [quantile(decided, 0.5)] }),
    figure(`GET /api/top, its statements, ${at}, p50`, 'ms', { values: [quantile(await topLooks(place), 0.5)] }),
    figure(`the database, ${at}`, 'MB', { values: [(size?.bytes ?? 0) / 1024 ** 2] }),
  ];
  return { figures, jobUs };
}

/** What a claim comes to beside the bare statement, which claims from as long a queue. */
async function claimRatios(queue: Queue, at: string): Promise<Figure[]> {
  const found: Figure[] = [];
  for (const crowd of claimCrowds) {
    const speed: number[] = [];
    const cost: number[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const each of [queue.fill, queue.fillBare]) await each(crowd.count);
      const bareFirst = round % 2 === 0;
      const first = await measureClaims(queue.place, { variant: bareFirst ? 'bare' : 'ours', ...crowd });
      const second = await measureClaims(queue.place, { variant: bareFirst ? 'ours' : 'bare', ...crowd });
      const [bare, ours] = bareFirst ? [first, second] : [second, first];
      speed.push(ours.perSecond / bare.perSecond);
      cost.push(bare.usPerClaim / ours.usPerClaim);
    }
    const of = `${crowd.claimers} ${crowd.claimers === 1 ? 'claimer' : 'claimers'}, ${at}`;
    found.push(
      figure(`claimNext / bare, ${of}`, 'ratio', { values: speed, goal: { is: 'at least', value: 0.8 } }),
      figure(`core time, bare / claimNext, ${of}`, 'ratio', { values: cost }),
    );
  }
  return found;
}

async function work(place: Place, workers: Peer, crowd: (typeof crowds)[number]): Promise<{ perSecond: number; us: number }> {
  // Connections that were idle for long are gone: what is measured is work, not logins.
  await Promise.all(Array.from({ length: 2 * crowd.workers }, () => place.enginePool.query(enterSession)));
  const spent = async () => {
    const sessions = await place.superuser.query(engineSessions);
    return new Map(sessions.map(({ pid }) => [pid, coreUs([pid])]));
  };
  const before = await spent();
  const perSecond = await workers.work(crowd.workers, crowd.count);
  const each = [...(await spent())].map(([pid, us]) => us - (before.get(pid) ?? 0));
  return { perSecond, us: each.reduce((sum, us) => sum + us, 0) / crowd.count };
}

async function topLooks({ database, tenantId }: Place): Promise<number[]> {
  const took: number[] = [];
  for (let look = 0; look < looks; look++) {
    const from = performance.now();
    await readTop(database, { tenantId, actor: 'bench' });
    took.push(performance.now() - from);
  }
  return took;
}

function grown(measured: ReadonlyMap<number, Measured>): Figure[] {
  const [few, many] = [depths[0] ?? 0, depths.at(-1) ?? 0];
  return crowds.map(({ workers }) => {
    const of = (depth: number) => measured.get(depth)?.jobUs.get(workers) ?? [];
    const values = of(many).map((us, round) => us / (of(few)[round] ?? Number.NaN));
    return figure(`core time of claim and hand-in, ${workers} at once, ${many} / ${few} wait`, 'ratio', { values, goal });
  });
}
