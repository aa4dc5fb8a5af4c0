import { describe, expect, test } from 'vitest';
import { createGate } from '../../../test/harness/gate.ts';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { check, evidence, runState, type Site, siteForTests } from '../../../test/harness/work.ts';
import type { Depot } from '../../support/repositories/index.ts';
import { giveUpReview, judgeReview } from '../reviews/index.ts';
import type { BlobStore } from '../runs/index.ts';
import { cancelRun, submitRun } from '../runs/verbs.ts';
import { cancelTicket, retryTicket } from '../tickets/index.ts';
import { mergeNext } from './merge.ts';
import { takeSubmission } from './repository/ensure.ts';
import { closeChange, openChange, takeBackChange } from './verbs.ts';

let stages: Stages;
useStages(made => (stages = made));

const next = ({ trunkId }: Site) => mergeNext(stages.parts, stages.tenantId, trunkId);
const cancel = (id: string) => stages.app(tx => cancelTicket(tx, id, { reason: 'r', cascade: true }));
const told = async (site: Site) =>
  Promise.all(site.ticketIds.map(async id => `${await stages.statusOf(id)} ${(await site.change(id))?.state ?? 'none'}`));

async function reviewIds(ticketId: string, kind: string): Promise<string[]> {
  const text = 'select id from reviews where ticket_id = $1 and kind = $2 order by created_at';
  return (await stages.sql<{ id: string }>(text, [ticketId, kind])).map(({ id }) => id);
}

/** No run could make the last review of a ticket. */
async function giveUp(ticketId: string, kind: string): Promise<void> {
  const id = (await reviewIds(ticketId, kind)).at(-1) ?? '';
  await stages.engine(tx => giveUpReview(tx, id, 'no use'));
}

/** One ticket has landed; the change of the second is checked again. */
async function checkedAgain(): Promise<Site & { ticketId: string }> {
  const site = await siteForTests(stages, { features: [{ title: 'one' }, { title: 'two' }] });
  for (const [i, id] of site.ticketIds.entries()) await site.submit(id, { [`${i}.txt`]: `${i}\n` });
  for (const _ of site.ticketIds) await site.review();
  expect(await told(site)).toEqual(['completed merged', 'merging merging']);
  return { ...site, ticketId: site.ticketIds[1] ?? '' };
}

/** Hands in the ticket's next attempt and has it land, past a second review where the trunk has moved. */
async function land(site: Site, ticketId: string, content: string): Promise<void> {
  await site.submit(ticketId, { 'better.txt': content });
  await site.review();
  if ((await site.change(ticketId))?.state === 'merging') await site.review();
  expect((await site.change(ticketId))?.state).toBe('merged');
}

describe('work that was withdrawn', () => {
  test('is passed over by the merge, also where the job that closes its change is late', async () => {
    const site = await checkedAgain();
    await cancel(site.ticketId);
    await next(site);
    expect(await told(site)).toEqual(['completed merged', 'cancelled closed']);
    expect(await site.trunk()).toMatchObject({ merging: null, merges: 1 });
    await stages.drain();
  });

  test('while it is merged is not checked again', async () => {
    const site = await checkedAgain();
    // As before its second review was opened.
    await stages.sql(`delete from reviews where kind = 'merge'`);
    await stages.sql(`delete from runs where state = 'queued'`);
    const [merging, goOn] = [createGate(), createGate()];
    const depot: Depot = {
      async open(...args) {
        merging.open();
        await goOn.passed;
        return stages.parts.depot.open(...args);
      },
    };
    const merged = mergeNext({ ...stages.parts, depot }, stages.tenantId, site.trunkId);
    await merging.passed;
    await cancel(site.ticketId);
    goOn.open();
    await merged;
    expect(await reviewIds(site.ticketId, 'merge')).toEqual([]);
    await stages.drain();
  });

  test('while it lands does not land, and nothing throws', async () => {
    const site = await siteForTests(stages, { checks: [] });
    const [ticketId = ''] = site.ticketIds;
    const attempt = await site.start(ticketId);
    attempt.commit({ 'b.txt': 'b\n' });
    await attempt.handIn();
    await takeSubmission(stages.parts, stages.tenantId, attempt.claimed.run.id);
    const [review = ''] = await reviewIds(ticketId, 'submission');
    await stages.engine(tx => openChange(tx, review));
    const [landing, goOn] = [createGate(), createGate()];
    const blobs: BlobStore = {
      ...stages.parts.blobs,
      async receive(source, bytesMax) {
        const received = await stages.parts.blobs.receive(source, bytesMax);
        landing.open();
        await goOn.passed;
        return received;
      },
    };
    const merged = mergeNext({ ...stages.parts, blobs }, stages.tenantId, site.trunkId);
    await landing.passed;
    await cancel(ticketId);
    goOn.open();
    await merged;
    expect(await site.trunk()).toMatchObject({ merges: 0 });
    await stages.drain();
    expect(await told(site)).toEqual(['cancelled closed']);
  });

  test('and whose ticket was retried before any job ran is never landed for the next attempt', async () => {
    const site = await checkedAgain();
    await giveUp(site.ticketId, 'merge');
    await stages.app(tx => retryTicket(tx, site.ticketId));
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'ready closed']);
    await land(site, site.ticketId, 'yes\n');
    expect(site.published()).toMatchObject({ 'better.txt': 'yes' });
  });

  test('and whose ticket was retried at once has no run in the way of the next', async () => {
    const site = await siteForTests(stages);
    const [ticketId = ''] = site.ticketIds;
    const first = await site.submit(ticketId, { 'b.txt': 'b\n' });
    await giveUp(ticketId, 'submission');
    expect([await stages.statusOf(ticketId), await runState(stages, first)]).toEqual(['failed', 'cancelled']);
    expect(await site.runs(ticketId)).toEqual(['ticket cancelled', 'review cancelled']);
    await stages.app(tx => retryTicket(tx, ticketId));
    await stages.drain();
    await land(site, ticketId, 'again\n');
  });

  test('leaves no review behind, though its ticket goes on before that is seen to', async () => {
    const site = await siteForTests(stages);
    const [ticketId = ''] = site.ticketIds;
    await site.submit(ticketId, { 'b.txt': 'b\n' });
    const [run] = await stages.sql<{ id: string }>(`select id from runs where state = 'submitted' and ticket_id = $1`, [
      ticketId,
    ]);
    await stages.engine(tx => cancelRun(tx, run?.id ?? ''));
    await stages.app(tx => retryTicket(tx, ticketId));
    await stages.drain();
    expect(await site.reviews(ticketId)).toMatchObject([{ state: 'inconclusive' }]);
    await land(site, ticketId, 'again\n');
  });
});

describe('a job that comes late or twice', () => {
  test('opens no change for work that was sent back meanwhile', async () => {
    const site = await siteForTests(stages);
    const [ticketId = ''] = site.ticketIds;
    await site.submit(ticketId, { 'b.txt': 'b\n' });
    await site.review('red');
    await site.submit(ticketId, { 'b.txt': 'better\n' });
    const [first = ''] = await reviewIds(ticketId, 'submission');
    await stages.engine(tx => openChange(tx, first));
    expect(await site.change(ticketId)).toBeUndefined();
    await site.review();
    expect(await told(site)).toEqual(['completed merged']);
  });

  test('does not keep what has passed from landing, by the review that let it', async () => {
    const site = await checkedAgain();
    const got = await stages.claim({ capabilities: ['checks'] });
    if (got === undefined) throw new Error('there is nothing to review');
    const checks = [evidence(check, 'green')];
    await stages.engine(tx => submitRun(tx, { runId: got.run.id, token: got.token }, { summary: '', checks }));
    await stages.engine(tx => judgeReview(tx, got.run.id, stages.settings));
    await next(site);
    expect(await told(site)).toEqual(['completed merged', 'completed merged']);
    const text =
      'select v.kind, c.base_sha = v.base_sha as same from changes c join reviews v on v.id = c.review_id where c.ticket_id = $1';
    expect(await stages.sql(text, [site.ticketId])).toEqual([{ kind: 'merge', same: true }]);
    await stages.drain();
  });

  test('opens one once: what is on its way already stays where it is', async () => {
    const site = await checkedAgain();
    const [id = ''] = await reviewIds(site.ticketId, 'submission');
    await stages.engine(tx => openChange(tx, id));
    expect(await told(site)).toEqual(['completed merged', 'merging merging']);
    expect((await site.trunk()).merging).toBe((await site.change(site.ticketId))?.id);
    await site.review();
    expect(await told(site)).toEqual(['completed merged', 'completed merged']);
  });

  test('does not bring back what was in conflict, once the conflict is resolved', async () => {
    const site = await siteForTests(stages, { features: [{ title: 'one' }, { title: 'two' }] });
    for (const [i, id] of site.ticketIds.entries()) await site.submit(id, { 'a.txt': `${i}\n` });
    for (const _ of site.ticketIds) await site.review();
    expect(await told(site)).toEqual(['completed merged', 'merging conflict']);
    const ticketId = site.ticketIds[1] ?? '';
    const resolution = await site.resolve();
    resolution.commit({ 'a.txt': '0\n1\n' });
    await resolution.handIn();
    await stages.drain();
    // Reviewed, and in the queue before the flow has merged it.
    await stages.sql(`update reviews set state = 'passed', ended_at = now() where state = 'pending'`);
    await stages.sql(`update runs set state = 'cancelled', ended_at = now() where state = 'queued' and subject_type = 'review'`);
    const [first = '', last = ''] = await reviewIds(ticketId, 'submission');
    await stages.engine(tx => openChange(tx, last));
    const carried = () => stages.sql('select state, run_id, review_id from changes where ticket_id = $1', [ticketId]);
    const before = await carried();
    await stages.engine(tx => openChange(tx, first));
    expect(before).toMatchObject([{ state: 'queued', review_id: last }]);
    expect(await carried()).toEqual(before);
    await stages.drain();
    if ((await site.change(ticketId))?.state === 'merging') await site.review();
    expect(await told(site)).toEqual(['completed merged', 'completed merged']);
    expect(site.published()).toMatchObject({ 'a.txt': '0\n1' });
  });

  test('takes nothing back of a later attempt, and closes nothing that goes on', async () => {
    const site = await checkedAgain();
    await site.review('red');
    await site.submit(site.ticketId, { 'mended.txt': 'm\n' });
    // Reviewed, and in the queue before the flow has merged it.
    await stages.sql(`update reviews set state = 'passed', ended_at = now() where state = 'pending'`);
    await stages.sql(`update runs set state = 'cancelled', ended_at = now() where state = 'queued' and subject_type = 'review'`);
    const last = (await reviewIds(site.ticketId, 'submission')).at(-1) ?? '';
    await stages.engine(tx => openChange(tx, last));
    expect(await told(site)).toEqual(['completed merged', 'merging queued']);
    for (const kind of ['submission', 'merge'])
      for (const id of await reviewIds(site.ticketId, kind)) if (id !== last) await stages.engine(tx => takeBackChange(tx, id));
    await stages.engine(tx => closeChange(tx, site.ticketId));
    expect(await told(site)).toEqual(['completed merged', 'merging queued']);
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'completed merged']);
  });
});
