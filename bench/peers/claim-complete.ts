import { openPool } from '../../src/db/pool.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { type Bench, type Figure, figure, type Stage } from '../harness/bench.ts';
import { openPlace, type Place, servers } from '../harness/place.ts';
import { coreUs } from '../harness/processes.ts';
import { openBoss } from './boss.ts';
import { makeFloorTables } from './floor.sql.ts';
import { openFloorPeer } from './floor.ts';
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
    'Claim and hand-in beside pg-boss and graphile-worker, which fetch and complete, and the floor; 10,000 wait, on one server, in turns.',
  async run(stage) {
    const found: Figure[] = [];
    for (const { server, on } of servers) {
      const place = await openPlace(stage, server);
      const admin = openPool(place.superuserUrl, silentLog, 1);
      await admin.query(makePeersDatabase);
      await admin.close();
      const url = urlOf(place.superuserUrl);
      const settler = openPool(url, silentLog, 1);
      for (const statement of makeFloorTables) await place.superuser.query(statement);
      const peers = [
        ...[openOurs(place, 'in turn'), openOurs(place, 'beside')],
        ...[openFloorPeer(place, 'alone'), openFloorPeer(place, 'together')],
        ...[await openGraphile(url), await openBoss(url)],
      ];
      stage.atEnd(() => Promise.all([settler.close(), ...peers.map(peer => peer.close())]));
      const settle = async () => {
        for (const pool of [place.superuser, settler]) for (const statement of settlePeers) await pool.query(statement);
      };
      for (const peer of new Set(peers.map(peer => fillerOf(peers, peer)))) await peer.fill(depth);
      for (const crowd of crowds) found.push(...(await compare(stage, { place, peers, settle, on, ...crowd })));
    }
    return found;
  },
};

/** Who fills the queue that a peer works on. */
function fillerOf(peers: readonly Peer[], { queue }: Peer): Peer {
  const first = peers.find(peer => peer.queue === queue);
  if (first === undefined) throw new Error(`nobody fills the queue ${queue}`);
  return first;
}

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
    for (const peer of peers) await fillerOf(peers, peer).fill(count);
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
  const ofQueues = (of: readonly (readonly number[])[], isMeant: (queue: Peer['queue']) => boolean, round: number) =>
    of.filter((_, i) => isMeant(peers[i]?.queue ?? 'ours')).map(values => values[round] ?? Number.NaN);
  const isOther = (queue: Peer['queue']) => queue !== 'ours' && queue !== 'floor';
  const isFloor = (queue: Peer['queue']) => queue === 'floor';
  return peers.flatMap(({ name, queue }, i) => {
    const [speed, cost] = [speeds[i] ?? [], costs[i] ?? []];
    const own = [
      figure(`${name}, ${at}`, 'jobs/s', { values: speed }),
      figure(`core time of ${name}, ${at}`, 'µs/job', { values: cost }),
    ];
    if (isOther(queue)) return own;
    const beside = speed.map((value, round) => value / Math.max(...ofQueues(speeds, isOther, round)));
    const cheaper = cost.map((value, round) => Math.min(...ofQueues(costs, isOther, round)) / value);
    const goal = queue === 'ours' ? { goal: { is: 'at least', value: 1 } as const } : {};
    const found = [
      ...own,
      figure(`${name} / the faster of the two, ${at}`, 'ratio', { values: beside, ...goal }),
      figure(`core time of the cheaper of the two / ${name}, ${at}`, 'ratio', { values: cheaper }),
    ];
    if (isFloor(queue)) return found;
    const above = cost.map((value, round) => Math.min(...ofQueues(costs, isFloor, round)) / value);
    return [...found, figure(`core time of the floor / ${name}, ${at}`, 'ratio', { values: above })];
  });
}

function urlOf(superuserUrl: string): string {
  const changed = new URL(superuserUrl);
  changed.pathname = '/peers';
  return changed.href;
}
