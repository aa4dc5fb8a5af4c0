import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Stages, stagesForTests } from '../../../test/harness/stages.ts';
import { deleteMemory, memoriesMax, recallMemories, saveMemory } from './verbs.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
});
afterEach(() => stages.close());

const save = (text: string, kind: 'warning' | 'decision' = 'warning') =>
  stages.engine(tx => saveMemory(tx, { projectId: stages.projectId, runId: null, kind, text }));
const recall = (limit?: number) => stages.app(tx => recallMemories(tx, stages.projectId, limit));

test('the same note is kept once, of its kind; the newest come first, at most twenty', async () => {
  expect([await save('a'), await save('a'), await save('a', 'decision')]).toEqual([true, false, true]);
  for (let index = 0; index < 25; index++) await save(`note ${index}`);
  expect((await recall()).map(({ text }) => text)).toEqual(Array.from({ length: 20 }, (_, index) => `note ${24 - index}`));
});

test('beyond the most that are kept the oldest go', async () => {
  await stages.sql(
    `insert into memories (tenant_id, project_id, kind, text, sha256, created_at)
     select $1, $2, 'warning', n::text, n::text, now() - make_interval(mins => n) from generate_series(1, $3::int) n`,
    [stages.tenantId, stages.projectId, memoriesMax],
  );
  await save('new');
  const all = await recall(1_000);
  expect([all.length, all[0]?.text, all.at(-1)?.text]).toEqual([memoriesMax, 'new', String(memoriesMax - 1)]);
});

test('one run cannot push out what the others have left', async () => {
  const { run } = await stages.claimNew();
  const of = (text: string) =>
    stages.engine(tx => saveMemory(tx, { projectId: stages.projectId, runId: run.id, kind: 'warning', text }));
  await save('by another');
  for (let index = 0; index < 50; index++) await of(`note ${index}`);
  expect(await of('note 0')).toBe(false);
  await expect(of('one more')).rejects.toMatchObject({ code: 'wrong_state' });
  expect([(await recall(1_000)).length, (await recall(1_000)).at(-1)?.text]).toEqual([51, 'by another']);
});

test('one can be deleted, by its own tenant', async () => {
  await save('a');
  const [{ id } = { id: '' }] = await recall();
  const them = await stages.makeTenant('them');
  await expect(stages.app(tx => deleteMemory(tx, id), them)).rejects.toMatchObject({ code: 'memory_not_found' });
  expect(await stages.app(tx => recallMemories(tx, stages.projectId), them)).toEqual([]);
  await stages.app(tx => deleteMemory(tx, id));
  expect(await recall()).toEqual([]);
});
