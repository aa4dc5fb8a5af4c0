import { type Client, createClient } from '../../src/client/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { build, cardOf, repositoryOf } from '../build/builds.ts';
import { mergedToClaimed } from '../build/log.ts';
import { countTickets } from '../cost/cost.sql.ts';
import { weighServer } from '../cost/memory.ts';
import { type Figure, figure, quantile, type Stage } from '../harness/bench.ts';
import type { Place } from '../harness/place.ts';
import { build as buildSkep, coreUs, startServer, startWorker } from '../harness/processes.ts';
import { clientSessions } from '../peers/fill.sql.ts';
import { endOpenWork } from './growth.sql.ts';

/** Links of a chain whose change is merged before the next is claimed; of two chains, after one that warms up. */
const links = 25;
const rounds = 2;
const endMs = 600_000;
const restMs = 20_000;

/**
 * `bin/skep server` on a place where so many tickets wait that its worker cannot do: what it needs at rest, and how soon what a merge
 * has made ready is claimed. The place is good for nothing else afterwards.
 */
export function served(stage: Stage, place: Place, depth: number): Promise<Figure[]> {
  return within(stage, own => measure(own, place, `, ${depth} wait`));
}

/** What is started in it is stopped after it, and not only at the end of all. */
async function within<T>(stage: Stage, body: (own: Stage) => Promise<T>): Promise<T> {
  const stops: (() => Promise<unknown>)[] = [];
  const clear = async () => {
    for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
  };
  stage.atEnd(clear);
  try {
    return await body({ ...stage, atEnd: stop => void stops.push(stop) });
  } finally {
    await clear();
  }
}

async function measure(stage: Stage, place: Place, at: string): Promise<Figure[]> {
  const { superuser, tenantId, home } = place;
  for (const statement of endOpenWork) await superuser.query(statement);
  await superuser.query(countTickets, [tenantId]);
  buildSkep();
  const server = await startServer(stage, { home, token: place.adminToken });
  const client = createClient({ server: server.url, token: server.token, clock: systemClock });
  const rest = await coreAtRest(place, at);
  const merged = await within(stage, async own => {
    await startWorker(own, { server, client, slots: 2 });
    return mergedToClaimedIn(own, client, at);
  });
  // Without the worker, which would take what is to be held.
  const weight = await weighServer(stage, { server, client, home }, at);
  const of = (share: number) => merged.map(values => quantile(values, share));
  return [
    rest,
    figure(`change merged → dependant claimed${at}, p50`, 'ms', { values: of(0.5) }),
    figure(`change merged → dependant claimed${at}, p99`, 'ms', { values: of(0.99), goal: { is: 'at most', value: 50 } }),
    ...weight,
  ];
}

/** Of each chain but the first, which warms up. */
async function mergedToClaimedIn(stage: Stage, client: Client, at: string): Promise<number[][]> {
  const repository = repositoryOf(stage, 20);
  const merged: number[][] = [];
  for (let round = 0, seen = 0; round <= rounds; round++) {
    const { log } = await build(client, {
      name: `b${round}`,
      card: { ...cardOf(links, 1), name: `b${round}` },
      repository,
      endMs,
    });
    const times = mergedToClaimed(log.slice(seen));
    seen = log.length;
    if (times.length < links - 1) throw new Error('a link of the chain was not found in the log');
    if (round > 0) merged.push(times);
    stage.say(`chain ${round + 1}${at}: ${quantile(times, 0.5)} ms from a merge to the next claim`);
  }
  return merged;
}

/** What the database does for a server that nobody asks for anything, as a share of a core. */
async function coreAtRest({ superuser }: Place, at: string): Promise<Figure> {
  const spent = async () => {
    const sessions = await superuser.query(clientSessions);
    return new Map(sessions.map(({ pid }) => [pid, coreUs([pid])]));
  };
  // Its first looks read what nobody has read yet.
  await systemClock.sleep(restMs);
  const [before, from] = [await spent(), systemClock.mono()];
  await systemClock.sleep(restMs);
  const us = [...(await spent())].reduce((sum, [pid, now]) => sum + now - (before.get(pid) ?? 0), 0);
  return figure(`core time of PostgreSQL, nothing is done${at}`, '% of a core', {
    values: [us / 10 / (systemClock.mono() - from)],
  });
}
