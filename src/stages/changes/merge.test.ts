import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Stages, stagesForTests } from '../../../test/harness/stages.ts';
import { type Attempt, evidence, runState, type Site, siteForTests, check } from '../../../test/harness/work.ts';
import { git } from '../../../test/harness/worker.ts';
import { failRun } from '../runs/verbs.ts';
import { cancelTicket, retryTicket } from '../tickets/index.ts';
import { mergeNext } from './merge.ts';
import { closeChange, openChange, takeBackChange } from './verbs.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
});
afterEach(async () => {
  const left = await stages.ownerless();
  await stages.close();
  expect(left).toEqual([]);
});

const features = [{ title: 'one' }, { title: 'two' }, { title: 'three' }];
const next = ({ trunkId }: Site) => mergeNext(stages.parts, stages.tenantId, trunkId);
const atOnce = (count: number, what: () => Promise<unknown>) => Promise.all(Array.from({ length: count }, what));
const cancel = (id: string | undefined) => stages.app(tx => cancelTicket(tx, id ?? '', { reason: 'no need', cascade: true }));
const fail = ({ claimed }: Attempt) =>
  stages.engine(tx =>
    failRun(
      tx,
      { runId: claimed.run.id, token: claimed.token },
      { failureClass: 'invalid_task', message: 'm', settings: stages.settings },
    ),
  );

/** Status of each ticket and state of its change. */
const told = async (site: Site) =>
  Promise.all(site.ticketIds.map(async id => `${await stages.statusOf(id)} ${(await site.change(id))?.state ?? 'none'}`));
const reviewIds = async (ticketId: string | undefined, kind: string) =>
  (
    await stages.sql<{ id: string }>('select id from reviews where ticket_id = $1 and kind = $2 order by created_at', [
      ticketId,
      kind,
    ])
  ).map(({ id }) => id);

/** Submits the work of the first tickets, a file each, and has each reviewed; what lands first is the first. */
async function reviewed(count: number): Promise<Site> {
  const site = await siteForTests(stages, { features: features.slice(0, count) });
  for (const [i, id] of site.ticketIds.entries()) await site.submit(id, { [`${i}.txt`]: `${i}\n` });
  for (const _ of site.ticketIds) await site.review();
  return site;
}

describe('a change whose review has passed', () => {
  test('lands as a merge that says where it comes from, completes its ticket as proven, and is pushed', async () => {
    const site = await siteForTests(stages);
    const [ticketId] = site.ticketIds;
    const attempt = await site.submit(ticketId, { 'b.txt': 'b\n' });
    expect(attempt.task).toMatchObject({ commit: (await site.trunk()).base, merge: null, feedback: null });
    await site.review();
    expect(await told(site)).toEqual(['completed merged']);
    const [trunk, change] = [await site.trunk(), await site.change(ticketId)];
    expect(trunk).toMatchObject({ merges: 1, merging: null, published: trunk.head });
    expect(change).toMatchObject({ merge: trunk.head, number: 1, base: trunk.base });
    expect(site.published()).toEqual({ 'a.txt': 'a', 'b.txt': 'b' });
    const log = git(site.repository, 'log', '-1', '--format=%an|%s|%P|%(trailers:key=Skep-Proof,valueonly)', 'skep/work');
    expect(log.trim()).toBe(`Skep|one (${ticketId})|${trunk.base} ${change?.head}|proven`);
    expect(await site.runs(ticketId)).toEqual(['ticket accepted', 'review accepted']);
    expect(await stages.sql('select state from sessions')).toEqual([{ state: 'completed' }]);
  });

  test('of a project without checks lands unproven', async () => {
    const site = await siteForTests(stages, { checks: [] });
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    expect(await told(site)).toEqual(['completed merged']);
    expect(await stages.sql(`select proof from tickets where type <> 'epic'`)).toEqual([{ proof: 'unproven' }]);
  });

  test('lands once, however many servers merge', async () => {
    const site = await siteForTests(stages);
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    const [ticketId = ''] = site.ticketIds;
    await stages.sql(`update reviews set state = 'passed', ended_at = now() where kind = 'submission'`);
    const [id = ''] = await reviewIds(ticketId, 'submission');
    await stages.engine(tx => openChange(tx, id));
    await atOnce(20, () => next(site));
    expect(await site.trunk()).toMatchObject({ merges: 1 });
    expect(await stages.sql(`select from events where type = 'change.merged'`)).toHaveLength(1);
    await stages.sql(`update runs set state = 'cancelled', ended_at = now() where state = 'queued'`);
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged']);
  });
});

describe('of several in the queue', () => {
  test('each lands once, in order, and is checked again where the trunk has moved', async () => {
    const site = await reviewed(3);
    expect(await told(site)).toEqual(['completed merged', 'merging merging', 'merging queued']);
    const { head } = await site.trunk();
    expect(await site.reviews(site.ticketIds[1])).toMatchObject([{ kind: 'submission' }, { kind: 'merge', state: 'pending' }]);
    // While it is checked again no other lands, and it is checked once.
    await atOnce(20, () => next(site));
    expect(await site.reviews(site.ticketIds[1])).toHaveLength(2);
    expect(await site.trunk()).toMatchObject({ head, merges: 1 });
    await site.review();
    await site.review();
    expect(await told(site)).toEqual(['completed merged', 'completed merged', 'completed merged']);
    expect(site.published()).toEqual({ 'a.txt': 'a', '0.txt': '0', '1.txt': '1', '2.txt': '2' });
    const numbers = await stages.sql<{ n: number; base: boolean }>(
      `select c.merge_number as n, c.base_sha = v.base_sha and v.head_sha = c.head_sha as base
         from changes c join reviews v on v.id = c.review_id order by c.ticket_id`,
    );
    expect(numbers).toEqual([1, 2, 3].map(n => ({ n, base: true })));
  });

  test('20 that think of the second review at once open one', async () => {
    const site = await siteForTests(stages, { features: features.slice(0, 2) });
    for (const [i, id] of site.ticketIds.entries()) await site.submit(id, { [`${i}.txt`]: `${i}\n` });
    await site.review();
    await stages.sql(`update reviews set state = 'passed', ended_at = now() where state = 'pending'`);
    await stages.sql(`update runs set state = 'cancelled', ended_at = now() where state = 'queued'`);
    const [id = ''] = await reviewIds(site.ticketIds[1], 'submission');
    await stages.engine(tx => openChange(tx, id));
    await atOnce(20, () => next(site));
    expect(await reviewIds(site.ticketIds[1], 'merge')).toHaveLength(1);
    await stages.drain();
    await site.review();
    expect(await told(site)).toEqual(['completed merged', 'completed merged']);
  });

  test('one that is red on the trunk as it is now goes back to its ticket with that, and the next lands', async () => {
    const site = await reviewed(3);
    await site.review('red');
    expect(await told(site)).toEqual(['completed merged', 'ready open', 'merging merging']);
    const again = await site.start(site.ticketIds[1]);
    // On from what was checked, which holds what landed meanwhile.
    expect(again.task.feedback?.text).toContain('one is red');
    expect(
      git(
        site.repository,
        '--git-dir',
        (await stages.parts.depot.open(stages.projectId)).gitDir,
        'ls-tree',
        '--name-only',
        again.task.commit,
      ),
    ).toContain('0.txt');
    await site.review();
    expect(await told(site)).toEqual(['completed merged', 'claimed open', 'completed merged']);
    again.commit({ 'mended.txt': 'm\n' });
    await again.handIn();
    await stages.drain();
    await site.review();
    // The trunk has moved while it was mended, but nothing stands in its way.
    if ((await told(site))[1] === 'merging merging') await site.review();
    expect(await told(site)).toEqual(['completed merged', 'completed merged', 'completed merged']);
  });

  test('one that is cancelled while it is checked again makes way, and leaves nothing behind', async () => {
    const site = await reviewed(3);
    await cancel(site.ticketIds[1]);
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'cancelled closed', 'merging merging']);
    expect(await site.runs(site.ticketIds[1])).toEqual(['ticket cancelled', 'review accepted', 'review cancelled']);
    await site.review();
    expect(await told(site)).toEqual(['completed merged', 'cancelled closed', 'completed merged']);
    expect(site.published()).toEqual({ 'a.txt': 'a', '0.txt': '0', '2.txt': '2' });
  });

  test('one that is cancelled at the moment in which it lands does either, and never half, 10 rounds', async () => {
    const ends = new Set<string>();
    const site = await siteForTests(stages, { features: Array.from({ length: 10 }, (_, i) => ({ title: `t${i}` })), checks: [] });
    for (const [i, id] of site.ticketIds.entries()) {
      const attempt = await site.start(id);
      attempt.commit({ [`${i}.txt`]: 'x\n' });
      await attempt.handIn();
      const [job] = await stages.sql<{ state: string }>('select state from runs where id = $1', [attempt.claimed.run.id]);
      expect(job?.state).toBe('submitted');
      await Promise.all([stages.drain(), cancel(id).catch(() => {})]);
      await stages.drain();
      ends.add(`${await stages.statusOf(id)} ${(await site.change(id))?.state ?? 'none'}`);
      expect(await stages.ownerless()).toEqual([]);
    }
    for (const end of ends) expect(['completed merged', 'cancelled closed', 'cancelled none']).toContain(end);
  });
});

describe('work that was withdrawn', () => {
  test('is passed over by the merge, also where the job that closes its change is late', async () => {
    const site = await reviewed(2);
    await stages.app(tx => cancelTicket(tx, site.ticketIds[1] ?? '', { reason: 'r', cascade: true }));
    await next(site);
    expect(await told(site)).toEqual(['completed merged', 'cancelled closed']);
    expect(await site.trunk()).toMatchObject({ merging: null, merges: 1 });
    await stages.drain();
  });

  test('is never landed for the next attempt: the ticket failed, was retried and handed in again before any job ran', async () => {
    const site = await reviewed(2);
    const [, ticketId = ''] = site.ticketIds;
    await stages.sql(`update runs set due_at = now() where state = 'queued'`);
    const claimed = await stages.claim({ capabilities: ['checks'] });
    expect(claimed?.run.ticketId).toBe(ticketId);
    for (let i = 0; i < 3; i++) {
      const got = i === 0 ? claimed : await stages.claim({ capabilities: ['checks'] });
      if (got === undefined) throw new Error('no review');
      await stages.engine(tx =>
        failRun(
          tx,
          { runId: got.run.id, token: got.token },
          { failureClass: 'sandbox', message: 'm', settings: stages.settings },
        ),
      );
    }
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'failed closed']);
    await stages.app(tx => retryTicket(tx, ticketId));
    await stages.drain();
    await site.submit(ticketId, { '1.txt': 'better\n' });
    await site.review();
    if ((await told(site))[1] === 'merging merging') await site.review();
    expect(site.published()).toMatchObject({ '1.txt': 'better' });
  });

  test('that fails and is retried at once leaves no run in the way of the next', async () => {
    const site = await siteForTests(stages);
    const [ticketId = ''] = site.ticketIds;
    const first = await site.submit(ticketId, { 'b.txt': 'b\n' });
    for (let i = 0; i < 3; i++) {
      const got = await stages.claim({ capabilities: ['checks'] });
      if (got === undefined) throw new Error('no review');
      await stages.engine(tx =>
        failRun(
          tx,
          { runId: got.run.id, token: got.token },
          { failureClass: 'sandbox', message: 'm', settings: stages.settings },
        ),
      );
    }
    // The review gives up, and a person retries before what follows from the failure is done.
    await stages.engine(async tx =>
      (await import('../reviews/index.ts')).giveUpReview(tx, (await reviewIds(ticketId, 'submission'))[0] ?? '', 'gone'),
    );
    expect([await stages.statusOf(ticketId), await runState(stages, first)]).toEqual(['failed', 'cancelled']);
    await stages.app(tx => retryTicket(tx, ticketId));
    await stages.drain();
    expect(await stages.statusOf(ticketId)).toBe('ready');
    await site.submit(ticketId, { 'b.txt': 'again\n' });
    await site.review();
    expect(await told(site)).toEqual(['completed merged']);
  });
});

describe('a job that comes late or twice', () => {
  test('opens no change for work that was sent back meanwhile', async () => {
    const site = await siteForTests(stages);
    const [ticketId = ''] = site.ticketIds;
    await site.submit(ticketId, { 'b.txt': 'b\n' });
    await site.review('red');
    const second = await site.submit(ticketId, { 'b.txt': 'better\n' });
    const [first = ''] = await reviewIds(ticketId, 'submission');
    await stages.engine(tx => openChange(tx, first));
    expect(await site.change(ticketId)).toBeUndefined();
    await site.review();
    expect((await site.change(ticketId))?.head).toBe(
      second.claimed.run.id === ''
        ? ''
        : (
            await stages.sql<{ head: string }>(`select result ->> 'head' as head from runs where id = $1`, [
              second.claimed.run.id,
            ])
          )[0]?.head,
    );
  });

  test('takes nothing back of a later attempt, and closes nothing that goes on', async () => {
    const site = await reviewed(2);
    const [, ticketId = ''] = site.ticketIds;
    await site.review('red');
    await site.submit(ticketId, { 'mended.txt': 'm\n' });
    await site.review();
    const before = await told(site);
    for (const kind of ['submission', 'merge'])
      for (const id of await reviewIds(ticketId, kind)) await stages.engine(tx => takeBackChange(tx, id));
    await stages.engine(tx => closeChange(tx, ticketId));
    expect(await told(site)).toEqual(before);
    await stages.drain();
    if ((await told(site))[1] === 'merging merging') await site.review();
    expect(await told(site)).toEqual(['completed merged', 'completed merged']);
  });
});

test('the trunks of two specs merge each for itself', async () => {
  const [one, other] = [await siteForTests(stages, { features: features.slice(0, 2) }), await siteForTests(stages)];
  expect((await other.trunk()).branch).toBe('skep/work-2');
  for (const [i, id] of one.ticketIds.entries()) await one.submit(id, { [`${i}.txt`]: `${i}\n` });
  await one.review();
  await one.review();
  expect(await told(one)).toEqual(['completed merged', 'merging merging']);
  await other.submit(other.ticketIds[0], { 'z.txt': 'z\n' });
  // The oldest first: the second review of the first trunk, then that of the other.
  await one.review();
  await other.review();
  expect([await told(one), await told(other)]).toEqual([['completed merged', 'completed merged'], ['completed merged']]);
});

test('what the worker says it ran must be what was asked', async () => {
  const site = await siteForTests(stages);
  await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
  const { output_tail: _, ...of } = evidence(check, 'green');
  await site.review([{ ...of, command: ['true'] }]);
  expect(await told(site)).toEqual(['failed none']);
  expect(await site.reviews(site.ticketIds[0])).toMatchObject([{ state: 'inconclusive' }]);
});

test('a lost bare repository is made again before anything is merged, pushed or taken in', async () => {
  const { rmSync } = await import('node:fs');
  const site = await reviewed(2);
  const forget = async () => rmSync((await stages.parts.depot.open(stages.projectId)).gitDir, { recursive: true });
  await forget();
  await site.review();
  expect(await told(site)).toEqual(['completed merged', 'completed merged']);
  expect(site.published()).toEqual({ 'a.txt': 'a', '0.txt': '0', '1.txt': '1' });
});

void fail;
