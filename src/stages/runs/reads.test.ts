import { expect, test } from 'vitest';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { listRuns, showRun } from './reads.ts';

let stages: Stages;
useStages(made => {
  stages = made;
});

const list = async (filter: Parameters<typeof listRuns>[1]) =>
  (await stages.app(tx => listRuns(tx, filter, { after: undefined, limit: 10 }))).map(({ subjectId }) => subjectId).sort();

test('runs are filtered by worker, project and health, and of their health only while they are held', async () => {
  const [a, b] = [await stages.claimNew(), await stages.claimNew()];
  const waiting = await stages.open();
  await stages.drain();
  await stages.sql(`update runs set health = 'late' where id <> $1`, [a.run.id]);
  expect(await list({ health: 'late' })).toEqual([b.run.subjectId]);
  expect(await list({ health: 'ok' })).toEqual([a.run.subjectId]);
  expect(await list({ worker: 'w' })).toEqual([a.run.subjectId, b.run.subjectId].sort());
  expect(await list({ worker: 'nobody' })).toEqual([]);
  expect(await list({ projectId: stages.projectId })).toEqual([a.run.subjectId, b.run.subjectId, waiting].sort());
  expect(await list({ projectId: a.run.id })).toEqual([]);
  expect(await list({ worker: 'w', health: 'late', state: 'leased', ticketId: b.run.subjectId })).toEqual([b.run.subjectId]);
});

test('one run says until when it waits, and from whose work it goes on', async () => {
  const { run } = await stages.claimNew();
  await stages.sql(`update runs set state = 'lost', ended_at = now(), lease_expires_at = null, carried = true where id = $1`, [
    run.id,
  ]);
  await stages.sql(
    `insert into runs (tenant_id, subject_type, subject_id, ticket_id, ticket_status, attempt, state, due_at, aged_at, project_id)
     select tenant_id, subject_type, subject_id, ticket_id, ticket_status, 2, 'queued', '2026-01-02T03:04:05Z', '2026-01-02T04:04:05Z', project_id
       from runs where id = $1`,
    [run.id],
  );
  await stages.sql(`update tickets set status = 'ready' where id = $1`, [run.subjectId]);
  const [next] = await stages.sql<{ id: string }>(`select id from runs where attempt = 2`);
  const [first, second] = [await stages.app(tx => showRun(tx, run.id)), await stages.app(tx => showRun(tx, next?.id ?? ''))];
  expect([first.continues, second.continues]).toEqual([null, run.id]);
  expect([second.dueAt.toISOString(), second.agedAt?.toISOString()]).toEqual([
    '2026-01-02T03:04:05.000Z',
    '2026-01-02T04:04:05.000Z',
  ]);
  await stages.sql('update runs set carried = false');
  expect((await stages.app(tx => showRun(tx, second.id))).continues).toBeNull();
  await expect(stages.app(tx => showRun(tx, stages.projectId))).rejects.toMatchObject({ code: 'run_not_found' });
});
