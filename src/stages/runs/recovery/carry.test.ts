import { rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { RunResult } from '../../../../contract/runs.ts';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { type Attempt, handIn, rescue, type Site, siteForTests } from '../../../../test/harness/work.ts';
import { resumeRun } from '../../changes/index.ts';
import { cancelTicket } from '../../tickets/index.ts';
import { storeArtifact } from '../artifacts/artifacts.ts';
import type { Holder } from '../holder.ts';
import { decideQuestion } from '../parking/decide.ts';
import { inWorkWithoutRun } from '../runs.sql.ts';
import { retryWork } from '../parking/close.ts';
import { cancelRun, failRun, getRun, progress } from '../verbs.ts';
import { buryRun, loseRun } from './lose.ts';

let stages: Stages;
useStages(made => (stages = made));

const ticketOf = (site: Site) => site.ticketIds[0] ?? '';
const holderOf = ({ claimed }: Attempt): Holder => ({ runId: claimed.run.id, token: claimed.token });
const rowOf = (attempt: Attempt) => stages.app(tx => getRun(tx, attempt.claimed.run.id));
const events = async (type: string) => (await stages.sql('select from events where type = $1', [type])).length;
const loseDepot = async () => rmSync((await stages.parts.depot.open(stages.projectId)).gitDir, { recursive: true });

/** Fails with the work so far, as a worker does. */
async function breakOff(
  attempt: Attempt,
  failureClass: 'agent_died' | 'stopped' | 'agent_failed' | 'limit' = 'agent_died',
): Promise<void> {
  const { settings } = stages;
  const verb: Parameters<typeof handIn>[2]['verb'] = (tx, holder, result: RunResult) =>
    failRun(tx, holder, { failureClass, message: 'SIGKILL', result, settings });
  await attempt.handIn({}, verb);
}

async function converse(attempt: Attempt, text = 'what was said'): Promise<void> {
  const scope = { tenantId: stages.tenantId, actor: 'worker', holder: holderOf(attempt) };
  const upload = { name: 'conversation', source: Readable.from([Buffer.from(text)]), bytesMax: 1_000 };
  await storeArtifact(stages.parts, scope, upload);
}

async function lose(attempt: Attempt): Promise<void> {
  await stages.expire(attempt.claimed.run.id);
  expect(await stages.engine(tx => loseRun(tx, attempt.claimed.run.id, stages.settings))).toBe(true);
}

async function begun(): Promise<{ site: Site; attempt: Attempt; head: string }> {
  const site = await siteForTests(stages);
  const attempt = await site.start(ticketOf(site));
  return { site, attempt, head: attempt.commit({ 'half.txt': 'half\n' }) };
}

describe('the work of a run that broke off', () => {
  test('is what the next attempt begins from, which is told so; and it lands', async () => {
    const { site, attempt, head } = await begun();
    await converse(attempt);
    await breakOff(attempt);
    // Nobody may take up the ticket before its work is there.
    expect(await stages.statusOf(ticketOf(site))).toBe('claimed');
    expect(await stages.ownerless()).toEqual([]);
    await stages.drain();
    expect([await rowOf(attempt), await events('run.carried')]).toMatchObject([{ carried: true, resumeSha: head }, 1]);
    const next = await site.start(ticketOf(site));
    expect(next.task).toMatchObject({
      commit: head,
      continues: { run_id: attempt.claimed.run.id, conversation: true },
      feedback: { round: 0, text: expect.stringContaining('agent_died: SIGKILL') },
    });
    expect(next.task.feedback?.text).toContain('go on from there');
    next.commit({ 'half.txt': 'whole\n' });
    await next.handIn();
    await stages.drain();
    await site.review();
    expect(site.published()).toMatchObject({ 'half.txt': 'whole' });
  });

  test('is taken in once, however often its job is run', async () => {
    const { site, attempt } = await begun();
    await breakOff(attempt);
    const job = () => resumeRun(stages.parts, stages.tenantId, attempt.claimed.run.id);
    await Promise.all([job(), job(), job()]);
    await stages.drain();
    await job();
    expect([await events('run.carried'), await site.runs(ticketOf(site))]).toEqual([1, ['ticket failed', 'ticket queued']]);
  });

  test('is made again from its bundle where the copy of the repository is lost', async () => {
    const { site, attempt, head } = await begun();
    await breakOff(attempt, 'stopped');
    await loseDepot();
    await stages.drain();
    const next = await site.start(ticketOf(site));
    expect(next.task.commit).toBe(head);
    next.commit({ 'b.txt': 'b\n' });
    await next.handIn();
    await loseDepot();
    await stages.drain();
    await site.review();
    expect(site.published()).toMatchObject({ 'half.txt': 'half', 'b.txt': 'b' });
  });

  test('goes through several that broke off, whose failures go on counting', async () => {
    const { site, attempt } = await begun();
    await breakOff(attempt, 'agent_failed');
    await stages.drain();
    const second = await site.start(ticketOf(site));
    const head = second.commit({ 'more.txt': 'more\n' });
    await breakOff(second, 'agent_failed');
    await stages.drain();
    const third = await site.start(ticketOf(site));
    expect([third.task.commit, third.task.continues?.run_id]).toEqual([head, second.claimed.run.id]);
    expect(third.task.feedback?.text.match(/broke off/g)).toHaveLength(1);
    third.commit({ 'last.txt': 'last\n' });
    await breakOff(third, 'agent_failed');
    await stages.drain();
    expect(await stages.statusOf(ticketOf(site))).toBe('failed');
  });

  test('that cannot be taken in is left behind: the next attempt begins where this one did', async () => {
    const { site, attempt } = await begun();
    const { claimed, task } = attempt;
    const result = { summary: '', head: 'a'.repeat(40) };
    const verb: Parameters<typeof handIn>[2]['verb'] = (tx, holder, sent: RunResult) =>
      failRun(tx, holder, { failureClass: 'agent_died', message: 'm', result: sent, settings: stages.settings });
    await handIn(stages, claimed, { bytes: Buffer.from('# v2 git bundle\nnonsense'), result, verb });
    await stages.drain();
    const next = await site.start(ticketOf(site));
    expect([next.task.commit, (await rowOf(attempt)).resumeSha]).toEqual([task.commit, null]);
    expect(next.task.feedback?.text).toContain('It had handed in nothing.');
  });

  test('is not taken up by a ticket that was cancelled meanwhile', async () => {
    const { site, attempt } = await begun();
    await breakOff(attempt);
    await stages.app(tx => cancelTicket(tx, ticketOf(site), { reason: 'r', cascade: false }));
    await stages.drain();
    expect([await stages.statusOf(ticketOf(site)), await events('run.carried')]).toEqual(['cancelled', 0]);
  });

  test('a bundle that was not uploaded for this run, or as something else, is refused, and nothing has changed', async () => {
    const { attempt } = await begun();
    const { settings } = stages;
    const fail = (bundle: string) =>
      stages.engine(tx =>
        failRun(tx, holderOf(attempt), { failureClass: 'agent_died', message: '', result: { summary: '', bundle }, settings }),
      );
    await expect(fail('a'.repeat(64))).rejects.toMatchObject({ code: 'blob_not_found' });
    await converse(attempt);
    const [artifact] = await stages.sql<{ sha256: string }>(`select sha256 from blobs where kind = 'artifact'`);
    await expect(fail(artifact?.sha256 ?? '')).rejects.toMatchObject({ code: 'blob_not_found' });
    expect((await rowOf(attempt)).state).toBe('leased');
  });

  test('the net sends a ticket back whose job was lost, and gives it a minute to fetch the repository before', async () => {
    const { site, attempt } = await begun();
    await breakOff(attempt);
    await stages.sql('delete from graphile_worker._private_jobs');
    await stages.sql(`update tickets set updated_at = updated_at - interval '1 hour'`);
    const found = () => stages.database.enginePool.query(inWorkWithoutRun, [8_000]);
    expect(await found()).toEqual([]);
    await stages.sql(`update runs set ended_at = ended_at - interval '60 seconds'`);
    expect(await found()).toEqual([]);
    await stages.sql(`update runs set ended_at = ended_at - interval '5 seconds'`);
    expect(await found()).toEqual([{ tenantId: stages.tenantId, id: ticketOf(site) }]);
    await resumeRun(stages.parts, stages.tenantId, attempt.claimed.run.id);
    await stages.drain();
    expect(await stages.statusOf(ticketOf(site))).toBe('ready');
  });
});

describe('what a dead worker left on its machine', () => {
  test('is what the next attempt begins from, which begins at once', async () => {
    const { site, attempt, head } = await begun();
    await rescue(stages, attempt);
    await stages.drain();
    expect((await rowOf(attempt)).state).toBe('leased');
    const { fence } = attempt.claimed.run;
    const buried = await stages.engine(tx =>
      buryRun(tx, attempt.claimed.run.id, { fence: fence ?? 0, settings: stages.settings }),
    );
    expect(buried.state).toBe('lost');
    await stages.drain();
    const next = await site.start(ticketOf(site));
    expect(next.task).toMatchObject({ commit: head, continues: { run_id: attempt.claimed.run.id, conversation: false } });
    expect(next.task.feedback?.text).toContain('the worker fell silent');
    next.commit({ 'b.txt': 'b\n' });
    await next.handIn();
    await loseDepot();
    await stages.drain();
    await site.review();
    expect(site.published()).toMatchObject({ 'half.txt': 'half', 'b.txt': 'b' });
  });

  test('comes late: it is taken up while the next attempt waits, and not once somebody works on that', async () => {
    const { site, attempt, head } = await begun();
    await lose(attempt);
    await stages.drain();
    expect(await site.runs(ticketOf(site))).toEqual(['ticket lost', 'ticket queued']);
    await rescue(stages, attempt);
    await stages.drain();
    const second = await site.start(ticketOf(site));
    expect(second.task.commit).toBe(head);
    second.commit({ 'more.txt': 'more\n' });
    await lose(second);
    await stages.drain();
    const third = await site.start(ticketOf(site));
    await rescue(stages, second);
    await stages.drain();
    expect([third.task.commit, await events('run.carried')]).toEqual([head, 1]);
  });

  test('is not buried with another fence, nor twice, nor what is unknown', async () => {
    const { attempt } = await begun();
    const { id, fence } = attempt.claimed.run;
    const bury = (runId: string, of: number) => stages.engine(tx => buryRun(tx, runId, { fence: of, settings: stages.settings }));
    await expect(bury(id, (fence ?? 0) + 1)).rejects.toMatchObject({ code: 'wrong_state' });
    await expect(bury('6f4b5f0e-1111-4222-8333-444455556666', 1)).rejects.toMatchObject({ code: 'run_not_found' });
    expect((await rowOf(attempt)).state).toBe('leased');
    await bury(id, fence ?? 0);
    await expect(bury(id, fence ?? 0)).rejects.toMatchObject({ code: 'wrong_state', facts: { currentState: 'lost' } });
    expect(await events('run.lost')).toBe(1);
    await stages.drain();
  });
});

test('an attempt that never began to work stands between the work and the next in vain', async () => {
  const { site, attempt, head } = await begun();
  await breakOff(attempt);
  await stages.drain();
  const second = await site.start(ticketOf(site));
  const ended = { failureClass: 'sandbox', message: 'm', settings: stages.settings } as const;
  await stages.engine(tx => failRun(tx, holderOf(second), ended));
  await stages.drain();
  const third = await site.start(ticketOf(site));
  expect([third.task.commit, third.task.continues?.run_id]).toEqual([head, attempt.claimed.run.id]);
  // Whoever finds nothing to add to it hands it in as it is, however many attempts lie between.
  expect([attempt.task.has_work, second.task.has_work, third.task.has_work]).toEqual([false, true, true]);
});

test('the conversation alone is carried on too', async () => {
  const { site, attempt } = await begun();
  await converse(attempt);
  await lose(attempt);
  await stages.drain();
  const next = await site.start(ticketOf(site));
  expect([next.task.commit, next.task.continues]).toEqual([
    attempt.task.commit,
    { run_id: attempt.claimed.run.id, conversation: true, ended: 'broken_off' },
  ]);
  expect(next.task.has_work).toBe(false);
});

test('after a question the work so far is gone on with as well', async () => {
  const { site, attempt, head } = await begun();
  const verb: Parameters<typeof handIn>[2]['verb'] = (tx, holder, result: RunResult) =>
    failRun(tx, holder, {
      failureClass: 'agent_died',
      message: 'm',
      result,
      settings: { ...stages.settings, restartsMax: 0 },
    });
  await attempt.handIn({}, verb);
  await stages.drain();
  expect(await stages.statusOf(ticketOf(site))).toBe('waiting');
  const [question] = await stages.sql<{ id: string }>(`select id from questions where kind = 'recovery'`);
  await stages.app(tx => decideQuestion(tx, { id: question?.id ?? '', answer: 'use less memory' }, stages.settings));
  await stages.drain();
  const next = await site.start(ticketOf(site));
  expect(next.task).toMatchObject({ commit: head, has_work: true, continues: { run_id: attempt.claimed.run.id } });
  expect(next.task.feedback?.text).toContain('A person has answered: use less memory');
});

describe('the conversation of the agent is gone on with', () => {
  test('where what it had handed in is sent back with what was wrong', async () => {
    const { site, attempt } = await begun();
    await converse(attempt);
    await attempt.handIn();
    await stages.drain();
    await site.review('red');
    await stages.drain();
    const next = await site.start(ticketOf(site));
    expect(next.task.continues).toEqual({ run_id: attempt.claimed.run.id, conversation: true, ended: 'returned' });
    expect(next.task.feedback?.round).toBe(1);
  });

  test('where its run was parked, when a person has decided', async () => {
    const { site, attempt, head } = await begun();
    await converse(attempt);
    const question = await attempt.park();
    await stages.drain();
    await stages.app(tx => decideQuestion(tx, { id: question, answer: 'raise:2.00' }, stages.settings));
    await stages.drain();
    const next = await site.start(ticketOf(site));
    expect([next.task.commit, next.task.continues]).toEqual([
      head,
      { run_id: attempt.claimed.run.id, conversation: true, ended: 'answered' },
    ]);
  });
});

test('a run that has used up what its template allows fails its ticket, and is gone on with when that is tried again', async () => {
  const { site, attempt, head } = await begun();
  await stages.engine(tx => progress(tx, holderOf(attempt), { state: 'working', leaseMs: 60_000 }));
  await converse(attempt);
  await breakOff(attempt, 'limit');
  await stages.drain();
  expect([await stages.statusOf(ticketOf(site)), await events('run.carried')]).toEqual(['failed', 0]);
  await stages.app(tx => retryWork(tx, ticketOf(site)));
  await stages.drain();
  const next = await site.start(ticketOf(site));
  expect([next.task.commit, next.task.continues]).toEqual([
    head,
    { run_id: attempt.claimed.run.id, conversation: true, ended: 'broken_off' },
  ]);
});

describe('a run that a person has cancelled', () => {
  /** The worker hears of it, and brings home what there was. */
  async function cancelled(): Promise<{ site: Site; attempt: Attempt; head: string; bring(): Promise<void> }> {
    const { site, attempt, head } = await begun();
    await stages.engine(tx => progress(tx, holderOf(attempt), { state: 'working', leaseMs: 60_000 }));
    await converse(attempt);
    await stages.engine(tx => cancelRun(tx, attempt.claimed.run.id));
    await stages.drain();
    return { site, attempt, head, bring: () => rescue(stages, attempt).then(() => stages.drain()) };
  }
  const retry = async (site: Site, anew?: boolean) => {
    await stages.app(tx => retryWork(tx, ticketOf(site), anew === undefined ? {} : { anew }));
    await stages.drain();
  };

  test('is gone on with when its ticket is tried again: its work, its conversation, and why it was stopped', async () => {
    const { site, attempt, head, bring } = await cancelled();
    await bring();
    expect([await stages.statusOf(ticketOf(site)), await events('run.carried')]).toEqual(['failed', 0]);
    await retry(site);
    const next = await site.start(ticketOf(site));
    expect(next.task).toMatchObject({
      commit: head,
      has_work: true,
      continues: { run_id: attempt.claimed.run.id, conversation: true, ended: 'broken_off' },
    });
    expect(next.task.feedback?.text).toContain('was stopped before it had ended: a person has cancelled it. What it had done');
    next.commit({ 'half.txt': 'whole\n' });
    await next.handIn();
    await stages.drain();
    await site.review();
    expect(site.published()).toMatchObject({ 'half.txt': 'whole' });
  });

  test('is waited for a little where its worker has not brought it yet, and no longer', async () => {
    const { site, attempt, head, bring } = await cancelled();
    await stages.sql(`delete from blobs where kind = 'artifact'`);
    await retry(site);
    const [waits] = await stages.sql<{ ms: number }>(
      `select extract(epoch from due_at - clock_timestamp()) * 1000 as ms from runs where state = 'queued'`,
    );
    expect(Number(waits?.ms)).toBeGreaterThan(5_000);
    await bring();
    const next = await site.start(ticketOf(site));
    expect([next.task.commit, next.task.continues?.run_id]).toEqual([head, attempt.claimed.run.id]);
  });

  test('that has left nothing for a while holds up nobody', async () => {
    const { site, attempt } = await cancelled();
    await stages.sql(`delete from blobs where kind = 'artifact'`);
    await stages.sql(`update runs set ended_at = now() - interval '1 minute' where state = 'cancelled'`);
    await retry(site);
    const next = await site.start(ticketOf(site));
    expect([next.task.commit, next.task.continues]).toEqual([attempt.task.commit, null]);
  });

  test('is left behind where the ticket is to begin anew, also when what it left comes later', async () => {
    const { site, attempt, bring } = await cancelled();
    await retry(site, true);
    await bring();
    const next = await site.start(ticketOf(site));
    expect(next.task).toMatchObject({ commit: attempt.task.commit, has_work: false, continues: null, feedback: null });
    expect(await events('run.carried')).toBe(0);
  });

  test('and so are all attempts before it', async () => {
    const { site, attempt } = await begun();
    await converse(attempt);
    await attempt.handIn();
    await stages.drain();
    await site.review('red');
    await stages.drain();
    const second = await site.start(ticketOf(site));
    expect(second.task.continues?.run_id).toBe(attempt.claimed.run.id);
    await stages.engine(tx => cancelRun(tx, second.claimed.run.id));
    await stages.drain();
    await retry(site, true);
    const third = await site.start(ticketOf(site));
    expect(third.task).toMatchObject({ commit: attempt.task.commit, continues: null, feedback: null });
  });
});
