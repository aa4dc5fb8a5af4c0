import { openPool } from '../../src/db/pool.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { type Bench, type Figure, figure, type Stage } from '../harness/bench.ts';
import { openPlace, type Place, servers } from '../harness/place.ts';
import { coreUs } from '../harness/processes.ts';
import { openBoss } from './boss.ts';
import { clientSessions, makePeersDatabase, settlePeers } from './fill.sql.ts';
import { openGraphile } from './graphile.ts';
import { openOurs } from './ours.ts';
import type { Peer } from './peer.ts';

const rounds = 5;
/** So many wait at the least while others are worked on. */
const depth = 10_000;
const crowds = [
  { workers: 1, count: 300 },
  { workers: 8, count: 1_200 },
];

export const claimComplete: Bench = {
  name: 'claim-complete',
  about:
    'Claim and hand-in beside pg-boss and graphile-worker, which fetch and complete; 10,000 wait, on the same server, in turns.',
  async run(stage) {
    const found: Figure[] = [];
    for (const { server, on } of servers) {
      const place = await openPlace(stage, server);
      const admin = openPool(place.superuserUrl, silentLog, 1);
      await admin.query(makePeersDatabase);
      await admin.close();
      const url = urlOf(place.superuserUrl);
      const settler = openPool(url, silentLog, 1);
      const peers = [openOurs(place, 'in turn'), openOurs(place, 'beside'), await openGraphile(url), await openBoss(url)];
      stage.atEnd(() => Promise.all([settler.close(), ...peers.slice(1).map(peer => peer.close())]));
      const settle = async () => {
        for (const pool of [place.superuser, settler]) for (const statement of settlePeers) await pool.query(statement);
      };
      for (const peer of peers.slice(1)) await peer.fill(depth);
      for (const crowd of crowds) found.push(...(await compare(stage, { place, peers, settle, on, ...crowd })));
    }
    return found;
  },
};

interface Comparison {
  readonly place: Place;
  readonly peers: readonly Peer[];
  readonly settle: () => Promise<void>;
  readonly workers: number;
  readonly count: number;
  readonly on: string;
}

async function compare(stage: Stage, { place, peers, settle, workers, count, on }: Comparison): Promise<Figure[]> {
  const given = peers.map((): Measured[] => []);
  for (let round = 0; round < rounds; round++) {
    // Both of ours work on one queue.
    for (const [i, peer] of peers.entries()) await (i === 0 ? peers[1] : peer)?.fill(count);
    await settle();
    for (let turn = 0; turn < peers.length; turn++) {
      const i = (round + turn) % peers.length;
      const peer = peers[i];
      if (peer !== undefined) given[i]?.push(await measure(place, peer, { workers, count }));
    }
    const shown = peers.map(({ name }, i) => `${name} ${Math.round(given[i]?.[round]?.perSecond ?? 0)}/s`);
    stage.say(`${workers} workers${on}, round ${round + 1}: ${shown.join(', ')}`);
  }
  return figures(peers, given, `${workers} ${workers === 1 ? 'worker' : 'workers'}${on}`);
}

interface Measured {
  readonly perSecond: number;
  /** Of a core, spent by the connections' processes of PostgreSQL. */
  readonly usPerJob: number;
}

async function measure(place: Place, peer: Peer, { workers, count }: { workers: number; count: number }): Promise<Measured> {
  const spent = async () => {
    const sessions = await place.superuser.query(clientSessions);
    return new Map(sessions.map(({ pid }) => [pid, coreUs([pid])]));
  };
  const before = await spent();
  const perSecond = await peer.work(workers, count);
  const after = [...(await spent())].map(([pid, us]) => us - (before.get(pid) ?? 0));
  return { perSecond, usPerJob: after.reduce((sum, us) => sum + us, 0) / count };
}

function figures(peers: readonly Peer[], given: readonly (readonly Measured[])[], at: string): Figure[] {
  const speeds = given.map(rounds => rounds.map(({ perSecond }) => perSecond));
  const costs = given.map(rounds => rounds.map(({ usPerJob }) => usPerJob));
  const others = (of: readonly (readonly number[])[], round: number) => of.slice(2).map(values => values[round] ?? Number.NaN);
  return peers.flatMap(({ name }, i) => {
    const [speed, cost] = [speeds[i] ?? [], costs[i] ?? []];
    const own = [
      figure(`${name}, ${at}`, 'jobs/s', { values: speed }),
      figure(`core time of ${name}, ${at}`, 'µs/job', { values: cost }),
    ];
    if (i > 1) return own;
    const beside = speed.map((value, round) => value / Math.max(...others(speeds, round)));
    const cheaper = cost.map((value, round) => Math.min(...others(costs, round)) / value);
    return [
      ...own,
      figure(`${name} / the faster of the two, ${at}`, 'ratio', { values: beside, goal: { is: 'at least', value: 1 } }),
      figure(`core time of the cheaper of the two / ${name}, ${at}`, 'ratio', { values: cheaper }),
    ];
  });
}

function urlOf(superuserUrl: string): string {
  const changed = new URL(superuserUrl);
  changed.pathname = '/peers';
  return changed.href;
}
