import { afterEach, beforeAll, test } from 'vitest';
import { buildSkep, endAll } from '../../harness/process.ts';
import { endLoads, ownEmbedded, startLoad } from '../load.ts';
import { shareOut } from './servers.ts';

beforeAll(buildSkep);
afterEach(async () => {
  await endAll();
  await endLoads();
});

test('5 servers share out 1,000 tickets among 20 claimers, and one of them is killed', { timeout: 1_800_000 }, async () => {
  const load = await startLoad(await ownEmbedded(), { servers: 5, isBare: true });
  await shareOut(load, { tickets: 1_000, claimers: 20 });
});
