import { renameSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createGate } from '../../../test/harness/gate.ts';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { type Site, siteForTests } from '../../../test/harness/work.ts';
import { git } from '../../../test/harness/worker.ts';
import { nets } from '../../flow.ts';
import { submitRun } from '../runs/verbs.ts';
import { cancelTicket, retryTicket } from '../tickets/index.ts';
import { editTicket } from '../tickets/verbs.ts';
import { trunksToPublish } from './changes.sql.ts';
import { publishTrunk } from './publish.ts';

let stages: Stages;
useStages(made => (stages = made));

const two = { features: [{ title: 'one' }, { title: 'two' }], checks: [] };
const publish = ({ trunkId }: Site) => publishTrunk(stages.parts, stages.tenantId, trunkId);
const pushed = () =>
  stages.sql<{ type: string }>(`select type from events where type in ('trunk.published', 'trunk.stalled') order by id`);
const due = async () => (await stages.sql<{ due: boolean }>('select publish_due_at is not null as due from trunks'))[0]?.due;

/** What the sweep does about branches that are due, once they are. */
async function sweep(): Promise<void> {
  await stages.sql(`update trunks set publish_due_at = now() - interval '1 s' where publish_due_at is not null`);
  const net = nets(stages.parts).find(each => each.find === trunksToPublish);
  const found = await stages.database.enginePool.query(trunksToPublish, [0]);
  for (const { tenantId, id } of found) await net?.mend(tenantId, id);
  await stages.drain();
}

describe('what has landed is pushed', () => {
  test('once nothing of the trunk is in work any more, and once', async () => {
    const site = await siteForTests(stages, two);
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    expect(site.published()).toBeUndefined();
    await site.submit(site.ticketIds[1], { 'c.txt': 'c\n' });
    expect(site.published()).toEqual({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' });
    await Promise.all(Array.from({ length: 10 }, () => publish(site)));
    expect(await pushed()).toEqual([{ type: 'trunk.published' }]);
  });

  test.each([
    ['is cancelled', (id: string) => stages.app(tx => cancelTicket(tx, id, { reason: 'r', cascade: true }))],
    [
      'is blocked',
      async (id: string) => {
        const other = await stages.open({ title: 'elsewhere' });
        return stages.app(tx => editTicket(tx, id, { dependsOn: [other] }));
      },
    ],
    [
      'ends without a commit',
      async (id: string) => {
        const got = await stages.claim({ ticketId: id });
        if (got === undefined) throw new Error('no run');
        await stages.engine(tx => submitRun(tx, { runId: got.run.id, token: got.token }, { summary: '' }));
      },
    ],
  ])('when the last ticket in work %s', async (_, end) => {
    const site = await siteForTests(stages, two);
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    expect(site.published()).toBeUndefined();
    await end(site.ticketIds[1] ?? '');
    await stages.drain();
    expect(site.published()).toEqual({ 'a.txt': 'a', 'b.txt': 'b' });
  });

  test.each([
    ['on top of what was there', 'told'],
    ['on top of what was there, where a push had arrived of which nobody heard', 'unheard'],
    ['anew where it was merged by a person and deleted', 'deleted'],
  ])('again when more lands later, %s', async (_, was) => {
    const site = await siteForTests(stages, two);
    await stages.sql(`update tickets set status = 'failed' where id = $1`, [site.ticketIds[1]]);
    await stages.sql(`update runs set state = 'cancelled', ended_at = now() where state = 'queued' and ticket_id = $1`, [
      site.ticketIds[1],
    ]);
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    const first = (await site.trunk()).published;
    if (was === 'deleted') git(site.repository, 'branch', '-D', 'skep/work');
    if (was === 'unheard') await stages.sql('update trunks set published_sha = null');
    await stages.app(tx => retryTicket(tx, site.ticketIds[1] ?? ''));
    await stages.drain();
    await site.submit(site.ticketIds[1], { 'c.txt': 'c\n' });
    expect(git(site.repository, 'merge-base', '--is-ancestor', first ?? '', 'skep/work')).toBe('');
    expect(site.published()).toMatchObject({ 'c.txt': 'c' });
  });
});

describe('a repository that does not take it', () => {
  test('is asked again later, and why is told', async () => {
    const site = await siteForTests(stages, { checks: [] });
    const attempt = await site.start(site.ticketIds[0]);
    attempt.commit({ 'b.txt': 'b\n' });
    await attempt.handIn();
    renameSync(site.repository, `${site.repository}-away`);
    await stages.drain();
    expect([await due(), await pushed()]).toEqual([true, [{ type: 'trunk.stalled' }]]);
    expect(await stages.statusOf(site.ticketIds[0] ?? '')).toBe('completed');
    renameSync(`${site.repository}-away`, site.repository);
    await sweep();
    expect(site.published()).toEqual({ 'a.txt': 'a', 'b.txt': 'b' });
    expect([await due(), (await site.trunk()).published]).toEqual([false, (await site.trunk()).head]);
  });

  test('since the branch is somebody else’s is never overwritten', async () => {
    const site = await siteForTests(stages, { checks: [] });
    git(site.repository, 'branch', 'skep/work');
    const theirs = git(site.repository, 'rev-parse', 'skep/work');
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    expect(git(site.repository, 'rev-parse', 'skep/work')).toBe(theirs);
    expect([await due(), await pushed()]).toEqual([true, [{ type: 'trunk.stalled' }]]);
    git(site.repository, 'branch', '--move', 'skep/work', 'mine');
    await sweep();
    expect(site.published()).toMatchObject({ 'b.txt': 'b' });
  });

  test('or of which nobody knows what is wrong is asked again too: no job throws for ever', async () => {
    const site = await siteForTests(stages, { checks: [] });
    const { upstream } = stages.parts;
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    await stages.sql('update trunks set published_sha = null');
    const broken = { ...upstream, publish: () => Promise.reject(new TypeError('a mistake of ours')) };
    await publishTrunk({ ...stages.parts, upstream: broken }, stages.tenantId, site.trunkId);
    const [row] = await stages.sql<{ error: string }>('select publish_error as error from trunks');
    expect([row?.error, await due()]).toEqual(['TypeError: a mistake of ours', true]);
    await sweep();
    expect(await due()).toBe(false);
  });
});

test('what lands while a push is on its way is pushed after it, whichever is told first', async () => {
  const site = await siteForTests(stages, { checks: [] });
  await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
  await stages.sql('update trunks set published_sha = null');
  git(site.repository, 'branch', '-D', 'skep/work');
  const [arrived, goOn] = [createGate(), createGate()];
  const { upstream } = stages.parts;
  const slow = {
    ...upstream,
    async publish(...args: Parameters<typeof upstream.publish>) {
      await upstream.publish(...args);
      arrived.open();
      await goOn.passed;
    },
  };
  const first = publishTrunk({ ...stages.parts, upstream: slow }, stages.tenantId, site.trunkId);
  await arrived.passed;
  // The next commit of the trunk, as a merge would make it; its push is refused, as it knows nothing of the first.
  const repo = await stages.parts.depot.open(stages.projectId);
  const { head } = await site.trunk();
  const next = await repo.merging.commit({
    tree: await repo.objects.treeOf(head ?? ''),
    parents: [head ?? ''],
    message: 'm',
    at: new Date(0),
  });
  await stages.sql('update trunks set head_sha = $1', [next]);
  await publish(site);
  goOn.open();
  await first;
  expect([await due(), (await site.trunk()).published]).toEqual([true, head]);
  await sweep();
  expect([await due(), (await site.trunk()).published]).toEqual([false, next]);
  expect(git(site.repository, 'rev-parse', 'skep/work')).toBe(next);
});
