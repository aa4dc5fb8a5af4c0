import { systemClock } from '../../../src/kernel/clock.ts';
import { failpointsOfServer, failpointsOfWorker } from '../../../src/kernel/failpoint.ts';
import type { SkepProcess } from '../../harness/process.ts';
import { comeClean, type Verdict } from '../oracle.ts';
import { patienceMs } from '../report.ts';
import type { Kind } from '../projects.ts';
import { leaseMs, startWorld, type World } from '../world.ts';
import type { Provoke } from './provoke.ts';
import { pointsOfStart, provocations } from './server.ts';
import { pointsOfTalk, waitS } from './talk.ts';
import { doom, pointsOfSetup, type WorkerPoint } from './worker.ts';

/** One death at one point, and what was seen when things had had their time. */
export interface Round {
  readonly point: string;
  readonly verdict: Verdict;
  /** From the next start on until all was clean. */
  readonly ms: number;
}

export type PointOfServing = keyof typeof provocations;

const apart: ReadonlySet<string> = new Set([...pointsOfStart, ...pointsOfTalk, ...pointsOfSetup]);

/** All of a server that serves but `pointsOfTalk`, and all of a worker but `pointsOfSetup`. */
export const pointsOfServing = failpointsOfServer.filter((point): point is PointOfServing => !apart.has(point));
export const pointsOfWorker: readonly WorkerPoint[] = failpointsOfWorker.filter(point => !apart.has(point));

/** A point that is not come by in this time was not hit, and the proof fails: it would prove nothing. */
const hitMsMax = 120_000;
const lanes = 2;

/** What an heir tells of a dead worker: nobody else may take its work, and its lease must not run out before. */
const ofHeirs: ReadonlySet<PointOfServing> = new Set(['rescue-stored', 'run-buried'] as const);
const longLease = { SKEP_LEASE_MS: '30000', SKEP_HEARTBEAT_MS: '1000' };
const ofTalk: ReadonlySet<string> = new Set(pointsOfTalk);

/** The server dies at each of the points, so many times, several servers side by side since most of it is waiting. */
export async function killServers(points: readonly PointOfServing[], times: number): Promise<Round[]> {
  const walk = async (world: World, own: readonly PointOfServing[]): Promise<Round[]> => {
    const rounds: Round[] = [];
    for (const point of repeated(own, times)) rounds.push(await killServerAt(world, point, provocations[point]));
    return rounds;
  };
  const walkWithWorker: typeof walk = async (world, own) => {
    const steady = world.worker('steady', undefined, 2);
    const walked = await walk(world, own);
    await steady.kill('SIGTERM');
    return walked;
  };
  const usual = points.filter(point => !ofHeirs.has(point) && !ofTalk.has(point));
  const heirs = points.filter(point => ofHeirs.has(point));
  const talk = points.filter(point => ofTalk.has(point));
  const kinds = ['telling', 'curious', 'blocked'] as const;
  return [
    ...(await inLanes(usual, { kinds: ['plain', 'hand'] }, walkWithWorker)),
    ...(await inLanes(heirs, { kinds: ['sleeping'], env: longLease }, walk)),
    ...(await inLanes(talk, { kinds, env: { SKEP_QUESTION_WAIT_S: `${waitS}` } }, walkWithWorker)),
  ];
}

export async function killWorkers(points: readonly WorkerPoint[], times: number): Promise<Round[]> {
  return inLanes(points, { kinds: ['plain', 'failing', 'sleeping', 'asking'] }, async (world, own) => {
    const rounds: Round[] = [];
    for (const point of repeated(own, times)) rounds.push(await killWorkerAt(world, point));
    return rounds;
  });
}

async function killServerAt(world: World, point: PointOfServing, provoke: Provoke): Promise<Round> {
  const isUp = await world.restart(point);
  const provoked = provoke(world);
  // It is waited for below, when the server is back.
  provoked.catch(() => {});
  if (isUp) await expectDeath(world.farm().server, point);
  await world.restart();
  const since = systemClock.mono();
  await provoked;
  return settle(world, point, since);
}

async function killWorkerAt(world: World, point: WorkerPoint): Promise<Round> {
  const name = 'mortal';
  await expectDeath(await doom(world, name, point), point);
  const since = systemClock.mono();
  const heir = world.worker(name);
  const round = await settle(world, point, since);
  await heir.kill('SIGTERM');
  return round;
}

async function settle(world: World, point: string, since: number): Promise<Round> {
  const { verdict } = await comeClean(world.scene(), patienceMs(leaseMs));
  return { point, verdict, ms: Math.round(systemClock.mono() - since) };
}

export async function expectDeath({ ended }: SkepProcess, point: string): Promise<void> {
  const over = new AbortController();
  const late = systemClock.sleep(hitMsMax, over.signal).then(() => undefined);
  const end = await Promise.race([ended, late]);
  over.abort();
  if (end === undefined) throw new Error(`${point} was not hit in ${hitMsMax} ms`);
  if (end.signal !== 'SIGKILL' || !end.stderr.includes(`failpoint ${point} kill\n`))
    throw new Error(`it did not die at ${point}, but by ${end.signal ?? end.code}: ${end.stderr}`);
}

async function inLanes<Point>(
  points: readonly Point[],
  { kinds, env = {} }: { readonly kinds: readonly Kind[]; readonly env?: Readonly<Record<string, string>> },
  walk: (world: World, own: readonly Point[]) => Promise<Round[]>,
): Promise<Round[]> {
  const shares = Array.from({ length: lanes }, (_, lane) => points.filter((_point, index) => index % lanes === lane));
  const busy = shares.filter(own => own.length > 0);
  return (await Promise.all(busy.map(async own => walk(await startWorld(kinds, env), own)))).flat();
}

function repeated<Point>(points: readonly Point[], times: number): Point[] {
  return Array.from({ length: times }, () => points).flat();
}
