import { expect, test } from 'vitest';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { check, evidence, type Site, siteForTests } from '../../../test/harness/work.ts';
import { nets } from '../../flow.ts';
import { queueRun } from '../runs/index.ts';
import { readyWithoutRun } from '../runs/runs.sql.ts';
import { submitRun } from '../runs/verbs.ts';

let stages: Stages;
useStages(made => (stages = made));

/** Loses every job, and lets the nets find what was not done, at once, until they find nothing new. */
async function mend(): Promise<void> {
  const all = [
    ...nets(stages.parts),
    { find: readyWithoutRun, mend: (_: string, id: string) => stages.engine(tx => queueRun(tx, id, stages.settings)) },
  ];
  for (let turn = 0; turn < 3; turn++) {
    await stages.sql('delete from graphile_worker._private_jobs');
    for (const net of all)
      for (const { tenantId, id } of await stages.database.enginePool.query(net.find, [0])) await net.mend(tenantId, id);
  }
  await stages.sql('delete from graphile_worker._private_jobs');
}

const told = async (site: Site) =>
  Promise.all(site.ticketIds.map(async id => `${await stages.statusOf(id)} ${(await site.change(id))?.state ?? 'none'}`));

async function verdict(): Promise<void> {
  const got = await stages.claim({ capabilities: ['checks'] });
  if (got === undefined) throw new Error('there is nothing to review');
  const checks = [evidence(check, 'green')];
  await stages.engine(tx => submitRun(tx, { runId: got.run.id, token: got.token }, { summary: '', checks }));
}

test('a submission and its evidence are taken up though every job is lost', async () => {
  const site = await siteForTests(stages, { unprepared: true });
  await verdict();
  await mend();
  expect((await site.trunk()).state).toBe('ready');
  const attempt = await site.start(site.ticketIds[0]);
  attempt.commit({ 'b.txt': 'b\n' });
  await attempt.handIn();
  await mend();
  expect(await site.reviews(site.ticketIds[0])).toMatchObject([{ state: 'pending' }]);
  await verdict();
  await mend();
  expect(await site.reviews(site.ticketIds[0])).toMatchObject([{ state: 'passed' }]);
  expect(await told(site)).toEqual(['completed merged']);
  expect(site.published()).toEqual({ 'a.txt': 'a', 'b.txt': 'b' });
});

test('a conflict is given to an agent though every job is lost', async () => {
  const site = await siteForTests(stages, { features: [{ title: 'a' }, { title: 'b' }], checks: [] });
  const attempts = [await site.start(site.ticketIds[0]), await site.start(site.ticketIds[1])];
  for (const [i, attempt] of attempts.entries()) {
    attempt.commit({ 'a.txt': `${i}\n` });
    await attempt.handIn();
    await mend();
  }
  expect(await told(site)).toEqual(['completed merged', 'merging conflict']);
  await stages.sql(`update runs set state = 'cancelled', ended_at = now() where subject_type = 'conflict'`);
  await mend();
  const resolution = await site.resolve();
  resolution.commit({ 'a.txt': 'both\n' });
  await resolution.handIn();
  await mend();
  expect(await told(site)).toEqual(['completed merged', 'completed merged']);
});
