import { afterEach, beforeAll, expect, test } from 'vitest';
import { buildSkep, endAll } from '../../harness/process.ts';
import { endLoads, type Load, ownEmbedded, startLoad } from '../load.ts';
import { endConnections, loseAnswers, resetLine } from './database.ts';

beforeAll(buildSkep);
afterEach(async () => {
  await endAll();
  await endLoads();
});

async function busy(): Promise<Load> {
  const load = await startLoad(await ownEmbedded());
  load.worker('one');
  return load;
}

test('answers of the database are lost, its connections are ended and its line is reset: all is done once', {
  timeout: 300_000,
}, async () => {
  const load = await busy();
  await loseAnswers(load, 'commit', 10);
  await loseAnswers(load, 'any', 10);
  await endConnections(load, 3);
  await resetLine(load, 3);
  expect(load.made.length).toBeGreaterThan(5);
});
