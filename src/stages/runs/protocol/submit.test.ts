import pg from 'pg';
import { expect, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import type { Pool } from '../../../db/pool.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { fence, type HolderScope } from '../holder.ts';
import type { ClaimedRun } from '../queue/claim.ts';
import { renewLease } from '../runs.sql.ts';
import { submitRun } from '../verbs.ts';
import { submitRuns } from './submit.sql.ts';
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
  return { submit: createSubmit({ ...stages.database, enginePool }, systemClock), made };
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

test('who waits for work hears of what is handed in, where that may make room', async () => {
  const held = await claimed(4);
  const listener = new pg.Client({ connectionString: stages.engineUrl });
  await listener.connect();
  try {
    let heard = 0;
    listener.on('notification', () => (heard += 1));
    await listener.query('listen skep_runs');
    const { submit, made } = counted();
    const handIn = (...some: readonly ClaimedRun[]) => Promise.all(some.map(each => submit(scopeOf(each), done)));
    await handIn(...held.slice(0, 1));
    await listener.query('select');
    expect(heard).toBe(0);
    await stages.sql(`insert into run_limits (tenant_id, scope, scope_id, runs_max) values ($1, 'tenant', '', 9)`, [
      stages.tenantId,
    ]);
    await handIn(...held.slice(1, 3));
    await listener.query('select');
    expect(heard).toBe(1);
    expect(made).toEqual(['submit_runs', 'submit_runs']);
    // By itself, as it is done where there is more to it.
    const last = held[3];
    if (last !== undefined) await stages.engine(tx => submitRun(tx, scopeOf(last).holder, done));
    await listener.query('select');
    expect(heard).toBe(2);
  } finally {
    await listener.end();
  }
  await stages.drain();
});

/* Counted in pages, which no other load changes: one by one, those that are held by others would be some 300 of them. */
test('a holder finds its run by its id, however many are held and whatever was known when that was planned', async () => {
  const claimed = await stages.claimNew();
  await stages.sql(
    `insert into runs (tenant_id, subject_type, subject_id, attempt, state) select $1, 'review', 'r' || n, 1, 'queued' from generate_series(1, 5000) n`,
    [stages.tenantId],
  );
  await stages.sql('analyze');
  const engine = new pg.Client({
    connectionString: stages.engineUrl,
    options: '-c search_path=skep -c plan_cache_mode=force_generic_plan',
  });
  await engine.connect();
  try {
    const [tenantId, id, hash] = fence(stages.tenantId, scopeOf(claimed).holder);
    const token = `'\\x${hash.toString('hex')}'::bytea`;
    await engine.query(`prepare renew as ${renewLease.text}`);
    await engine.query(`prepare submit as ${submitRuns.text}`);
    const pagesOf = async (call: string) => {
      await engine.query('begin');
      const { rows } = await engine.query<{ 'QUERY PLAN': [{ Plan: { 'Shared Hit Blocks': number; 'Actual Rows': number } }] }>(
        `explain (analyze, buffers, format json) execute ${call}`,
      );
      await engine.query('rollback');
      const plan = rows[0]?.['QUERY PLAN'][0].Plan;
      expect(plan?.['Actual Rows']).toBe(1);
      return plan?.['Shared Hit Blocks'] ?? Number.NaN;
    };
    const look = async () =>
      (await pagesOf(`renew('${tenantId}', '${id}', ${token}, 15000)`)) +
      (await pagesOf(`submit('${tenantId}', '{${id}}', array[${token}], array['{}'], '{w}', '{}')`));
    await look();
    const few = await look();
    await stages.sql(
      `update runs set state = 'working', worker = 'w', fence = 1, lease_token_hash = '\\x00', lease_expires_at = now() + interval '1 hour'
        where state = 'queued'`,
    );
    expect((await look()) - few).toBeLessThan(60);
  } finally {
    await engine.end();
  }
});
