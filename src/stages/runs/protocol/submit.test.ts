import { expect, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import type { Pool } from '../../../db/pool.ts';
import type { HolderScope } from '../holder.ts';
import type { ClaimedRun } from '../queue/claim.ts';
import { createSubmit } from './submit.ts';

let stages: Stages;
useStages(made => (stages = made));

const scopeOf = ({ run, token }: Pick<ClaimedRun, 'run' | 'token'>): HolderScope => ({
  tenantId: stages.tenantId,
  actor: `worker:${run.worker}`,
  holder: { runId: run.id, token },
});
const done = { summary: 'done', branch: 'skep/x' };

/** The statements that are made past a transaction. */
function counted() {
  const made: string[] = [];
  const enginePool: Pool = {
    ...stages.database.enginePool,
    query(statement, values) {
      made.push(statement.name);
      return stages.database.enginePool.query(statement, values);
    },
  };
  return { submit: createSubmit({ ...stages.database, enginePool }), made };
}

const claimed = async (count: number) => {
  const held: ClaimedRun[] = [];
  for (let i = 0; i < count; i++) held.push(await stages.claimNew());
  return held;
};
const told = () =>
  stages.sql<{ type: string; subject: string; actor: string; payload: object }>(
    `select type, subject_id as subject, actor, payload from events where type in ('ticket.verifying', 'run.submitted') order by id`,
  );

test('what is handed in at once goes in one statement, and is what each of them would be alone', async () => {
  const [alone, ...others] = await claimed(4);
  if (alone === undefined) throw new Error('nothing was claimed');
  // By itself, as the transaction does it: one with a bundle that is not there has to be looked at closer.
  const { submit, made } = counted();
  await expect(submit(scopeOf(alone), { ...done, bundle: 'f'.repeat(64), head: 'a'.repeat(40) })).rejects.toMatchObject({
    code: 'blob_not_found',
  });
  expect(await told()).toEqual([]);
  made.length = 0;
  const rows = await Promise.all([alone, ...others].map(each => submit(scopeOf(each), done)));
  expect(made).toEqual(['submit_runs']);
  expect(rows.map(({ id, state, result, leaseExpiresAt }) => ({ id, state, result, leaseExpiresAt }))).toEqual(
    [alone, ...others].map(({ run }) => ({ id: run.id, state: 'submitted', result: done, leaseExpiresAt: null })),
  );
  expect(await stages.sql(`select status, branch_name from tickets group by 1, 2`)).toEqual([
    { status: 'verifying', branch_name: 'skep/x' },
  ]);
  const events = await told();
  expect(events).toHaveLength(8);
  expect(events.filter(event => event.type === 'run.submitted')).toContainEqual({
    type: 'run.submitted',
    subject: alone.run.id,
    actor: 'worker:w',
    payload: {
      ...{ subject: alone.run.subjectId, subjectType: 'ticket', ticketId: alone.run.ticketId, attempt: 1, state: 'submitted' },
      ...{ head: null, bundle: null },
    },
  });
  await stages.drain();
  expect(await stages.sql(`select status, count(*)::int from tickets group by 1`)).toEqual([{ status: 'completed', count: 4 }]);
});

test('said again it answers the same; who holds no lease any more is told so, and holds up nobody', async () => {
  const [first, second, third] = await claimed(3);
  if (first === undefined || second === undefined || third === undefined) throw new Error('nothing was claimed');
  const { submit } = counted();
  await stages.expire(second.run.id);
  const answers = await Promise.allSettled([
    submit(scopeOf(first), done),
    submit(scopeOf(second), done),
    submit(scopeOf({ ...third, token: first.token }), done),
    submit(scopeOf(first), done),
    submit(scopeOf(third), done),
  ]);
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled', 'fulfilled']);
  expect(answers[1]).toMatchObject({ reason: { code: 'lease_lost' } });
  expect(answers[2]).toMatchObject({ reason: { code: 'lease_lost' } });
  expect(await told()).toHaveLength(4);
  await stages.sql(`update runs set lease_expires_at = now() + interval '1 minute' where id = $1`, [second.run.id]);
  expect(await submit(scopeOf(second), done)).toMatchObject({ state: 'submitted' });
});

test('a run that was stopped on the way is refused, and one whose ticket goes no further', async () => {
  const [halted, cancelled] = await claimed(2);
  if (halted === undefined || cancelled === undefined) throw new Error('nothing was claimed');
  await stages.sql(`update runs set halt = '{"kind":"model","message":"stop"}' where id = $1`, [halted.run.id]);
  await stages.sql(`update tickets set status = 'cancelled' where id = $1`, [cancelled.run.subjectId]);
  const { submit } = counted();
  await expect(submit(scopeOf(halted), done)).rejects.toMatchObject({ code: 'run_halted' });
  await expect(submit(scopeOf(cancelled), done)).rejects.toMatchObject({ code: 'lease_lost' });
  expect(await told()).toEqual([]);
  await stages.sql(`update runs set halt = null where id = $1`, [halted.run.id]);
  await stages.sql(`update tickets set status = 'claimed' where id = $1`, [cancelled.run.subjectId]);
  for (const each of [halted, cancelled]) await submit(scopeOf(each), done);
  await stages.drain();
});
