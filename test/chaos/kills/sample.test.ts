import { afterEach, beforeAll, expect, test } from 'vitest';
import { endModelFarms } from '../../harness/model-farm.ts';
import { buildSkep } from '../../harness/process.ts';
import { isClean } from '../oracle.ts';
import { killServers, killWorkers, type Round } from './round.ts';
import { pointsOfStart } from './server.ts';
import { killStarts } from './start.ts';

beforeAll(buildSkep);
afterEach(endModelFarms);

/** The moments between two writes, and one on each side of them; all the others are in the proof, ten times each. */
const ofServers = [
  ...['claim-committed', 'complete-committed', 'after-receive', 'before-land', 'after-land'],
  ...['transcript-appended', 'turn-ended'],
] as const;
const ofWorkers = ['claimed', 'snapshot-made', 'agent-started', 'bundle-uploaded', 'after-complete'] as const;

test('kill -9 of a server at some of its failpoints: nothing is lost, doubled, stuck or left behind', {
  timeout: 600_000,
}, async () => {
  expectClean(await killServers(ofServers, 1), ofServers);
});

test('kill -9 of a worker at some of its failpoints: nothing is lost, doubled, stuck or left behind', {
  timeout: 600_000,
}, async () => {
  expectClean(await killWorkers(ofWorkers, 1), ofWorkers);
});

test('kill -9 of the first start of a home at each of its failpoints: the next one makes it whole', {
  timeout: 300_000,
}, async () => {
  expectClean(await killStarts(1), pointsOfStart);
});

function expectClean(rounds: readonly Round[], points: readonly string[]): void {
  expect(rounds.filter(({ verdict }) => !isClean(verdict))).toEqual([]);
  expect(rounds.map(({ point }) => point).toSorted()).toEqual([...points].toSorted());
}
