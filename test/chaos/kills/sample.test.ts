import { afterEach, beforeAll, expect, test } from 'vitest';
import { endModelFarms } from '../../harness/model-farm.ts';
import { buildSkep } from '../../harness/process.ts';
import { isClean } from '../oracle.ts';
import { killStarts } from './start.ts';
import { pointsOfStart } from './server.ts';
import { killServers, killWorkers, pointsOfServing, pointsOfWorker, type Round } from './round.ts';

beforeAll(buildSkep);
afterEach(endModelFarms);

test(`kill -9 of a server at each of its ${pointsOfServing.length} failpoints: nothing is lost, doubled, stuck or left behind`, {
  timeout: 600_000,
}, async () => {
  expectClean(await killServers(pointsOfServing, 1), pointsOfServing);
});

test(`kill -9 of a worker at each of its ${pointsOfWorker.length} failpoints: nothing is lost, doubled, stuck or left behind`, {
  timeout: 600_000,
}, async () => {
  expectClean(await killWorkers(pointsOfWorker, 1), pointsOfWorker);
});

test(`kill -9 of the first start of a home at each of its ${pointsOfStart.length} failpoints: the next one makes it whole`, {
  timeout: 300_000,
}, async () => {
  expectClean(await killStarts(1), pointsOfStart);
});

function expectClean(rounds: readonly Round[], points: readonly string[]): void {
  expect(rounds.filter(({ verdict }) => !isClean(verdict))).toEqual([]);
  expect(rounds.map(({ point }) => point).toSorted()).toEqual([...points].toSorted());
}
