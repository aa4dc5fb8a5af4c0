import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { type Site, siteForTests } from '../../../test/harness/work.ts';
import { git } from '../../../test/harness/worker.ts';
import { cancelTicket } from '../tickets/index.ts';
import { mergeNext } from './merge.ts';
import { openChange } from './verbs.ts';

let stages: Stages;
useStages(made => (stages = made));

const features = [{ title: 'one' }, { title: 'two' }, { title: 'three' }];
const next = ({ trunkId }: Site) => mergeNext(stages.parts, stages.tenantId, trunkId);
const atOnce = (count: number, what: () => Promise<unknown>) => Promise.all(Array.from({ length: count }, what));
const cancel = (id: string | undefined) => stages.app(tx => cancelTicket(tx, id ?? '', { reason: 'no need', cascade: true }));
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

test('a lost bare repository is made again before anything is merged, pushed or taken in', async () => {
  const site = await reviewed(2);
  const forget = async () => rmSync((await stages.parts.depot.open(stages.projectId)).gitDir, { recursive: true });
  await forget();
  await site.review();
  expect(await told(site)).toEqual(['completed merged', 'completed merged']);
  expect(site.published()).toEqual({ 'a.txt': 'a', '0.txt': '0', '1.txt': '1' });
});
