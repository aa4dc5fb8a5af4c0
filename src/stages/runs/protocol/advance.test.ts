import { expect, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import type { HolderScope } from '../holder.ts';
import type { ClaimedRun } from '../queue/claim.ts';
import { failRun, progress } from '../verbs.ts';
import { advance } from './advance.ts';

let stages: Stages;
useStages(made => (stages = made));

const leaseMs = 30_000;
const scopeOf = ({ run, token }: Pick<ClaimedRun, 'run' | 'token'>): HolderScope => ({
  tenantId: stages.tenantId,
  actor: 'worker:w',
  holder: { runId: run.id, token },
});
const told = (claimed: ClaimedRun) =>
  stages.sql<{ type: string; actor: string; payload: object }>(
    `select type, actor, payload from events where type in ('ticket.running', 'run.started') and $1 in (subject_id, payload ->> 'subject') order by type`,
    [claimed.run.subjectId],
  );
const end = (claimed: ClaimedRun) => {
  const ended = { failureClass: 'agent_missing', message: 'm', settings: stages.settings } as const;
  return stages.engine(tx => failRun(tx, scopeOf(claimed).holder, ended));
};

test('makes of run, ticket and log what the transaction makes of them', async () => {
  const [quick, slow] = [await stages.claimNew(), await stages.claimNew()];
  const steps = [
    { state: 'starting', sandbox: undefined, leaseMs },
    { state: 'working', sandbox: 'box', leaseMs },
  ] as const;
  for (const to of steps) {
    const rows = [
      await advance(stages.database, scopeOf(quick), to),
      await stages.database.engine(scopeOf(slow), tx => progress(tx, scopeOf(slow).holder, to)),
    ];
    expect(rows).toMatchObject([{ state: to.state }, { state: to.state }]);
    expect(rows[0]?.sandbox).toBe(rows[1]?.sandbox);
    expect(rows.every(row => (row.startedAt !== null) === (to.state === 'working'))).toBe(true);
  }
  const tickets = await stages.sql('select status, status_reason, assigned_vm, attempts from tickets order by number');
  expect(tickets[0]).toEqual(tickets[1]);
  expect(tickets[0]).toMatchObject({ status: 'running', assigned_vm: 'box' });
  const alike = (events: Awaited<ReturnType<typeof told>>) =>
    JSON.stringify(events).replaceAll(quick.run.subjectId, 'it').replaceAll(slow.run.subjectId, 'it');
  const events = await told(quick);
  expect(events.map(({ type }) => type)).toEqual(['run.started', 'ticket.running']);
  expect(alike(events)).toBe(alike(await told(slow)));
  for (const each of [quick, slow]) await end(each);
  await stages.drain();
});

test('said again keeps the lease and tells nothing anew; what is behind already changes nothing', async () => {
  const claimed = await stages.claimNew();
  const say = (state: 'starting' | 'working') => advance(stages.database, scopeOf(claimed), { state, sandbox: 'box', leaseMs });
  await say('working');
  expect(await say('working')).toMatchObject({ state: 'working' });
  expect(await say('starting')).toMatchObject({ state: 'working' });
  expect(await told(claimed)).toHaveLength(2);
  await end(claimed);
});

test('who holds no lease any more is told so, and nothing is written', async () => {
  const claimed = await stages.claimNew();
  await stages.expire(claimed.run.id);
  for (const state of ['starting', 'working'] as const)
    await expect(advance(stages.database, scopeOf(claimed), { state, leaseMs })).rejects.toMatchObject({ code: 'lease_lost' });
  expect(await told(claimed)).toEqual([]);
  await stages.sql(`update runs set lease_expires_at = now() + interval '1 minute' where id = $1`, [claimed.run.id]);
  await end(claimed);
});
