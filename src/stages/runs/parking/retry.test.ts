import { describe, expect, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { cancelRun, submitRun } from '../verbs.ts';
import { retryRun } from './retry.ts';

let stages: Stages;
useStages(made => {
  stages = made;
});

const retry = (runId: string) => stages.app(tx => retryRun(tx, runId));
const cancel = (runId: string) => stages.engine(tx => cancelRun(tx, runId));

describe('a run is retried', () => {
  test('where it was the last of a ticket that failed: the ticket has a new set of attempts, and a run', async () => {
    const { run } = await stages.claimNew();
    await cancel(run.id);
    expect(await stages.statusOf(run.subjectId)).toBe('failed');
    expect(await retry(run.id)).toMatchObject({ id: run.subjectId, status: 'ready', attempts: 0 });
    await stages.drain();
    const next = await stages.claim({ ticketId: run.subjectId });
    expect(next?.run.attempt).toBe(2);
    // The first click has done it: what a second one would try again is at work.
    await expect(retry(run.id)).rejects.toMatchObject({
      code: 'wrong_state',
      message: `There is a later attempt at ${run.subjectId}: attempt 2 is leased`,
      hint: `See: skep run show ${next?.run.id}`,
    });
  });

  test('not while it runs, and not while its work is looked at', async () => {
    const { run, token } = await stages.claimNew();
    await expect(retry(run.id)).rejects.toMatchObject({
      code: 'wrong_state',
      message: 'This run is leased: it is not over',
      hint: `Stop it first, which fails its ticket: skep run cancel ${run.id}`,
    });
    await stages.engine(tx => submitRun(tx, { runId: run.id, token }, { summary: '' }));
    await expect(retry(run.id)).rejects.toMatchObject({
      code: 'wrong_state',
      hint: `See: skep review list --ticket ${run.subjectId}`,
    });
    expect(await stages.statusOf(run.subjectId)).toBe('verifying');
  });

  test('not where its ticket goes on, or is done', async () => {
    const { run } = await stages.claimNew();
    await stages.sql(`update runs set state = 'accepted', ended_at = now(), lease_expires_at = null where id = $1`, [run.id]);
    await stages.sql(`update tickets set status = 'completed', proof = 'unproven' where id = $1`, [run.subjectId]);
    await expect(retry(run.id)).rejects.toMatchObject({
      code: 'wrong_state',
      message: expect.stringContaining(`${run.subjectId} is completed`),
    });
  });

  test('not where it is no attempt at a ticket, and that says what to do', async () => {
    const { run } = await stages.claimNew();
    await cancel(run.id);
    const [check] = await stages.sql<{ id: string }>(
      `insert into runs (tenant_id, subject_type, subject_id, attempt, state, ticket_id, ended_at) values ($1, 'review', 'r', 1, 'lost', $2, now())
       returning id`,
      [stages.tenantId, run.subjectId],
    );
    await expect(retry(check?.id ?? '')).rejects.toMatchObject({
      code: 'wrong_state',
      message: `This run is a check of ${run.subjectId}, and no attempt at a ticket`,
      hint: `Try its ticket again: skep ticket retry ${run.subjectId}`,
    });
    await expect(retry(stages.projectId)).rejects.toMatchObject({ code: 'run_not_found' });
    const other = await stages.makeTenant('other');
    await expect(stages.app(tx => retryRun(tx, run.id), other)).rejects.toMatchObject({ code: 'run_not_found' });
  });
});
