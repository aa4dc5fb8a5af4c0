import { expect, onTestFinished, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { editTicket } from '../../tickets/index.ts';
import { createAgeing } from './ageing.ts';

let stages: Stages;
useStages(made => (stages = made));

const aged = () =>
  stages.sql<{ subjectId: string }>(`select subject_id as "subjectId" from events_of_ageing order by subject_id`);
const begin = (queueAgeMs: number) => {
  const loop = createAgeing({ database: stages.database, settings: { queueAgeMs }, clock: systemClock, log: silentLog });
  onTestFinished(() => loop.stop());
  loop.start();
  return loop;
};

test('what has been due for long goes before all else, the oldest first; it is told once and keeps its place', async () => {
  const [low, lower, urgent] = [await stages.open(), await stages.open({ priority: -9 }), await stages.open({ priority: 1_000 })];
  await stages.drain();
  await stages.sql(
    `create view events_of_ageing as select r.subject_id from events e join runs r on r.id::text = e.subject_id where e.type = 'run.aged'`,
  );
  await stages.sql(
    `update runs set due_at = now() - interval '3 hours', created_at = now() - interval '3 hours' where subject_id = $1`,
    [lower],
  );
  await stages.sql(
    `update runs set due_at = now() - interval '121 minutes', created_at = now() - interval '121 minutes' where subject_id = $1`,
    [low],
  );
  // Waiting before another try is no waiting in the queue.
  await stages.sql(
    `update runs set due_at = now() + interval '1 minute', created_at = now() - interval '9 hours' where subject_id = $1`,
    [urgent],
  );
  begin(7_200_000);
  begin(7_200_000);
  await expect.poll(aged).toHaveLength(2);
  await stages.app(tx => editTicket(tx, low, { priority: 5 }));
  await stages.drain();
  await stages.sql(`update runs set due_at = now() where subject_id = $1`, [urgent]);
  const order: (string | undefined)[] = [];
  for (let i = 0; i < 3; i++) order.push((await stages.claim())?.run.subjectId);
  expect(order).toEqual([lower, low, urgent]);
  expect((await aged()).map(({ subjectId }) => subjectId)).toEqual([low, lower].toSorted());
});
