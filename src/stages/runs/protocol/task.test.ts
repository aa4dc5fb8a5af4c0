import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha } from '../../../../test/harness/merged.ts';
import { type Stages, stagesForTests } from '../../../../test/harness/stages.ts';
import { siteForTests } from '../../../../test/harness/work.ts';
import { getTicket } from '../../tickets/index.ts';
import { getRun, returnClaim } from '../verbs.ts';
import { keepTask, taskOf } from './task.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
});
afterEach(() => stages.close());

test('what a run was told to begin from stays, wherever the trunk moves; a claim that reached nobody is told anew', async () => {
  const site = await siteForTests(stages, { checks: [] });
  const { head } = await site.trunk();
  const { claimed } = await site.start(site.ticketIds[0]);
  const now = async () => stages.app(async tx => (await taskOf(tx, await getRun(tx, claimed.run.id))).task.commit);
  await stages.sql('update trunks set head_sha = $1', [sha(7)]);
  expect(await now()).toBe(head);
  await stages.engine(tx => returnClaim(tx, { runId: claimed.run.id, token: claimed.token }, stages.settings));
  await expect(now()).rejects.toThrow('was claimed without a task');
  const again = await stages.claim({ ticketId: site.ticketIds[0] ?? '' });
  await stages.engine(async tx => {
    if (again === undefined) throw new Error('nothing to claim');
    await keepTask(tx, again, await getTicket(tx, site.ticketIds[0] ?? ''));
  });
  expect(await now()).toBe(sha(7));
});

test('who has lost the lease writes no task', async () => {
  const site = await siteForTests(stages, { checks: [] });
  const got = await stages.claim({ ticketId: site.ticketIds[0] ?? '' });
  if (got === undefined) throw new Error('nothing to claim');
  await stages.expire(got.run.id);
  await stages.engine(async tx => keepTask(tx, got, await getTicket(tx, site.ticketIds[0] ?? '')));
  expect((await stages.app(tx => getRun(tx, got.run.id))).task).toBeNull();
});
