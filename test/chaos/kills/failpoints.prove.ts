import { afterEach, beforeAll, expect, test } from 'vitest';
import { failpointsOfServer, failpointsOfWorker } from '../../../src/kernel/failpoint.ts';
import { endModelFarms } from '../../harness/model-farm.ts';
import { buildSkep } from '../../harness/process.ts';
import { begin, conclude, patienceMs } from '../report.ts';
import { leaseMs } from '../world.ts';
import { killServers, killWorkers, type PointOfServing, pointsOfServing, pointsOfWorker, type Round } from './round.ts';
import { pointsOfStart } from './server.ts';
import { killStarts } from './start.ts';
import { pointsOfQuestions, pointsOfTalk, pointsOfWork } from './talk.ts';
import { pointsOfSetup } from './worker.ts';

beforeAll(buildSkep);
afterEach(endModelFarms);

const times = 10;
/** In parts, so that each has its time; the last one keeps the row of all of them. */
const parts = 3;
const timeout = 3_600_000;

test(`kill -9 of a worker, ${times} at each of its failpoints`, { timeout }, async () => {
  const what = 'a worker is killed at a failpoint';
  begin(what);
  tell(what, await killWorkers(pointsOfWorker, times), pointsOfWorker);
});

test(`kill -9 of a worker, ${times} at each failpoint of a setup`, { timeout }, async () => {
  const what = 'a worker is killed at a failpoint of a setup';
  begin(what);
  tell(what, await killWorkers(pointsOfSetup, times), pointsOfSetup);
});

const rounds: Round[] = [];
const whatOfServers = 'a server is killed at a failpoint';
test.each(Array.from({ length: parts }, (_, part) => pointsOfServing.filter((_point, index) => index % parts === part)))(
  `kill -9 of a server, ${times} at each of its failpoints: %s and others`,
  { timeout },
  async (...points: PointOfServing[]) => {
    begin(whatOfServers);
    rounds.push(...(await killServers(points, times)));
  },
);

test('kill -9 of a server: all of its failpoints', () => {
  tell(whatOfServers, rounds, pointsOfServing);
});

test.each([
  ['templates and transcripts', pointsOfWork],
  ['questions', pointsOfQuestions],
])(`kill -9 of a server, ${times} at each failpoint of %s`, { timeout }, async (about, points) => {
  const what = `a server is killed at a failpoint of ${about}`;
  begin(what);
  tell(what, await killServers(points, times), points);
});

test('each failpoint is in one of these', () => {
  const tried = [...pointsOfWorker, ...pointsOfSetup, ...pointsOfServing, ...pointsOfTalk, ...pointsOfStart];
  expect(tried.toSorted()).toEqual([...failpointsOfServer, ...failpointsOfWorker].toSorted());
});

test(`kill -9 of the first start of a home, ${times} at each of its failpoints`, { timeout }, async () => {
  const what = 'the first start of a server is killed at a failpoint';
  begin(what);
  tell(what, await killStarts(times), pointsOfStart);
});

/** Each was hit so many times, or the run fails: what was not hit was not proven. */
function tell(what: string, all: readonly Round[], points: readonly string[]): void {
  const hits = points.map(point => `${point} ${all.filter(round => round.point === point).length}`);
  expect(hits).toEqual(points.map(point => `${point} ${times}`));
  conclude({
    ...{ what, count: all.length, kinds: points.length, withinMs: patienceMs(leaseMs) },
    verdicts: all.map(({ verdict }) => verdict),
    cleanMs: all.map(({ ms }) => ms),
  });
}
