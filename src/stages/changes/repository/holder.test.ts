import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { testStores } from '../../../../test/harness/stores.ts';
import { siteForTests } from '../../../../test/harness/work.ts';
import { commitsOfHolder } from './holder.ts';

let stages: Stages;
useStages(made => (stages = made));

test('the base of a trunk is served by a server that has not prepared it', async () => {
  await siteForTests(stages, { unprepared: true });
  const got = await stages.claim({ capabilities: ['checks'] });
  if (got === undefined) throw new Error('the base is not to be reviewed');
  const { run, token } = got;
  expect([run.subjectType, run.ticketId]).toEqual(['review', null]);
  rmSync(join(stages.folder, 'depot'), { recursive: true });
  const parts = { ...stages.parts, ...(await testStores(stages.folder)) };
  const scope = { tenantId: stages.tenantId, actor: 'worker:w' };
  const { repo, wants } = await commitsOfHolder(parts, scope, { service: 'rpc', runId: run.id, token });
  expect(wants).toEqual([run.task?.commit]);
  expect(await repo.objects.has(run.task?.commit ?? '')).toBe(true);
});
