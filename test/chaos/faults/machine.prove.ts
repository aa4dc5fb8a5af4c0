import { afterEach, beforeAll, expect, test } from 'vitest';
import { endModelFarms } from '../../harness/model-farm.ts';
import { buildSkep } from '../../harness/process.ts';
import { endLoads, ownEmbedded, startLoad } from '../load.ts';
import { begin, conclude, patience, patienceMs } from '../report.ts';
import { leaseMs, startWorld } from '../world.ts';
import { type Death, killAgent, type Victim } from './agents.ts';
import { storms, stormOnTheWay } from './network.ts';

beforeAll(buildSkep);
afterEach(async () => {
  await endModelFarms();
  await endLoads();
});

const timeout = 1_800_000;
const kills = 25;
/** Of a lease nothing is waited for: whoever runs the agent sees it die. */
const toldMsMax = 5_000;

test.each<[Victim, string]>([
  ['agent', 'an agent is killed in the middle of a tool'],
  ['sandbox', 'the sandbox of an agent is killed in the middle of a tool'],
])(`kill -9 of an %s, ${kills} times`, { timeout }, async (victim, what) => {
  begin(what);
  const world = await startWorld(['sleeping']);
  world.worker('one');
  const deaths: Death[] = [];
  for (let time = 0; time < kills; time++) deaths.push(await killAgent(world, victim));
  expect(new Set(deaths.map(({ failureClass }) => failureClass))).toEqual(new Set(['agent_died']));
  expect(deaths.map(({ toldMs }) => toldMs).filter(ms => ms > toldMsMax * patience())).toEqual([]);
  const cleanMs = deaths.map(({ ms }) => ms);
  conclude({ what, count: kills, verdicts: deaths.map(({ verdict }) => verdict), cleanMs, withinMs: patienceMs(leaseMs) });
});

test.each(storms)('the line between a worker and its server $what, 20 times', { timeout }, async storm => {
  await stormOnTheWay(await startLoad(await ownEmbedded()), storm, 20);
});
