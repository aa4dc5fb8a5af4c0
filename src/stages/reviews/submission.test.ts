import { readFileSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createGate } from '../../../test/harness/gate.ts';
import { until } from '../../../test/harness/process.ts';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { type Attempt, handIn, runState, type Site, siteForTests } from '../../../test/harness/work.ts';
import { makeRepository, git } from '../../../test/harness/worker.ts';
import { takeSubmission } from '../changes/index.ts';
import { getTicket, cancelTicket, retryTicket } from '../tickets/index.ts';
import { queueRun } from '../runs/index.ts';
import { failRun, submitRun } from '../runs/verbs.ts';
import { giveUpReview } from './judge.ts';
import { reviewSubmission } from './submission.ts';

let stages: Stages;
useStages(made => (stages = made));

const take = ({ claimed }: Attempt) => reviewSubmission(stages.parts, stages.tenantId, claimed.run.id);
const ticket = ({ ticketIds: [id = ''] }: Site) => stages.app(tx => getTicket(tx, id));
const nonsense = Buffer.from('# v2 git bundle\nnonsense');

describe('what a run hands in', () => {
  test('is taken in and reviewed as it would land, once, however many jobs think of it', async () => {
    const site = await siteForTests(stages);
    const attempt = await site.start(site.ticketIds[0]);
    const head = attempt.commit({ 'b.txt': 'b\n' });
    await attempt.handIn();
    await Promise.all(Array.from({ length: 8 }, () => take(attempt)));
    await stages.drain();
    expect(await site.reviews(site.ticketIds[0])).toMatchObject([{ kind: 'submission', state: 'pending', round: 1 }]);
    const { base } = await site.trunk();
    expect(
      await stages.sql(`select head_sha as head, base_sha as base, candidate_sha as candidate from reviews where kind <> 'base'`),
    ).toEqual([{ head, base, candidate: head }]);
    expect(await site.runs(site.ticketIds[0])).toEqual(['ticket submitted', 'review queued']);
  });

  test('is merged with what landed meanwhile for its review', async () => {
    const site = await siteForTests(stages, { features: [{ title: 'a' }, { title: 'b' }] });
    const late = await site.start(site.ticketIds[1]);
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    await site.review();
    late.commit({ 'c.txt': 'c\n' });
    await late.handIn();
    await stages.drain();
    const [review] = await stages.sql<{ base: string; head: string; candidate: string }>(
      'select base_sha as base, head_sha as head, candidate_sha as candidate from reviews where ticket_id = $1',
      [site.ticketIds[1]],
    );
    expect(review?.base).toBe((await site.trunk()).head);
    const { gitDir } = await stages.parts.depot.open(stages.projectId);
    expect(git(gitDir, 'log', '-1', '--format=%P', review?.candidate ?? '')).toBe(`${review?.base} ${review?.head}`);
    await site.review();
    expect((await site.change(site.ticketIds[1]))?.state).toBe('merged');
    expect(await stages.sql('select observed from tickets where id = $1', [site.ticketIds[1]])).toEqual([
      { observed: ['c.txt'] },
    ]);
  });

  test.each<[string, RegExp, (attempt: Attempt, site: Site) => Promise<void>]>([
    [
      'is no bundle',
      /git bundle is not valid/,
      ({ claimed, task }) => handIn(stages, claimed, { bytes: nonsense, result: { summary: '', head: task.commit } }),
    ],
    [
      'holds another commit than it says',
      /The bundle holds [0-9a-f]{40} and not f{40}/,
      async attempt => {
        attempt.commit({ 'b.txt': 'b\n' });
        await attempt.handIn({ head: 'f'.repeat(40) });
      },
    ],
    [
      'has no history in common with its base',
      /no history in common/,
      async ({ claimed }) => {
        const foreign = makeRepository({ 'z.txt': 'z\n' });
        git(foreign, 'branch', `skep/${claimed.run.ticketId}`);
        git(foreign, 'bundle', 'create', '--quiet', 'out', `skep/${claimed.run.ticketId}`);
        const head = git(foreign, 'rev-parse', 'HEAD');
        await handIn(stages, claimed, { bytes: readFileSync(`${foreign}/out`), result: { summary: '', head } });
      },
    ],
    [
      'holds nothing that is new',
      /holds no commit that the branch that it is for has not already/,
      async ({ claimed }, { repository }) => {
        git(repository, 'branch', `skep/${claimed.run.ticketId}`);
        git(repository, 'bundle', 'create', '--quiet', 'out', `skep/${claimed.run.ticketId}`);
        const head = git(repository, 'rev-parse', 'HEAD');
        await handIn(stages, claimed, { bytes: readFileSync(`${repository}/out`), result: { summary: '', head } });
      },
    ],
  ])('and %s goes back with that, and begins again where it began', async (_, reason, hand) => {
    const site = await siteForTests(stages);
    const attempt = await site.start(site.ticketIds[0]);
    await hand(attempt, site);
    await stages.drain();
    expect(await runState(stages, attempt)).toBe('returned');
    expect(await site.reviews(site.ticketIds[0])).toEqual([]);
    const again = await site.start(site.ticketIds[0]);
    expect(again.task.feedback?.text).toMatch(reason);
    expect(again.task.commit).toBe(attempt.task.commit);
  });

  test('and is bad after a round that was not goes on from that round, not from the trunk', async () => {
    const site = await siteForTests(stages);
    const first = await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    await site.review('red');
    const second = await site.start(site.ticketIds[0]);
    expect(second.task.commit).not.toBe(first.task.commit);
    await handIn(stages, second.claimed, { bytes: nonsense, result: { summary: '', head: second.task.commit } });
    await stages.drain();
    expect((await site.start(site.ticketIds[0])).task.commit).toBe(second.task.commit);
  });

  test('where that is no commit at all completes the ticket as unproven', async () => {
    const site = await siteForTests(stages);
    const { claimed } = await site.start(site.ticketIds[0]);
    await stages.engine(tx => submitRun(tx, { runId: claimed.run.id, token: claimed.token }, { summary: 'nothing to do' }));
    await stages.drain();
    expect(await ticket(site)).toMatchObject({ status: 'completed', proof: 'unproven' });
  });

  test('builds on a repository that was lost: it is made again, and the work is not refused', async () => {
    const site = await siteForTests(stages);
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    await site.review('red');
    const attempt = await site.start(site.ticketIds[0]);
    attempt.commit({ 'c.txt': 'c\n' });
    await attempt.handIn();
    rmSync((await stages.parts.depot.open(stages.projectId)).gitDir, { recursive: true });
    await takeSubmission(stages.parts, stages.tenantId, attempt.claimed.run.id);
    expect(await runState(stages, attempt)).toBe('submitted');
    await stages.drain();
    await site.review();
    expect(site.published()).toEqual({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' });
  });
});

describe('a ticket that is cancelled', () => {
  test('while its work is taken in is not reviewed any more', async () => {
    const site = await siteForTests(stages);
    const attempt = await site.start(site.ticketIds[0]);
    attempt.commit({ 'b.txt': 'b\n' });
    await attempt.handIn();
    const [reading, goOn] = [createGate(), createGate()];
    const blobs = {
      ...stages.parts.blobs,
      async read(sha256: string) {
        reading.open();
        await goOn.passed;
        return stages.parts.blobs.read(sha256);
      },
    };
    const taken = reviewSubmission({ ...stages.parts, blobs }, stages.tenantId, attempt.claimed.run.id);
    await reading.passed;
    await stages.app(tx => cancelTicket(tx, site.ticketIds[0] ?? '', { reason: 'r', cascade: true }));
    goOn.open();
    await taken;
    expect(await site.reviews(site.ticketIds[0])).toEqual([]);
    await stages.drain();
    expect(await site.runs(site.ticketIds[0])).toEqual(['ticket cancelled']);
  });

  test('while its work is reviewed leaves no review and no run behind', async () => {
    const site = await siteForTests(stages);
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    const held = await stages.claim({ capabilities: ['checks'] });
    await stages.app(tx => cancelTicket(tx, site.ticketIds[0] ?? '', { reason: 'r', cascade: true }));
    await stages.drain();
    expect(await site.reviews(site.ticketIds[0])).toMatchObject([{ state: 'inconclusive' }]);
    expect(await site.runs(site.ticketIds[0])).toEqual(['ticket cancelled', 'review cancelled']);
    const key = { runId: held?.run.id ?? '', token: held?.token ?? '' };
    await expect(stages.engine(tx => submitRun(tx, key, { summary: '' }))).rejects.toMatchObject({ code: 'lease_lost' });
  });

  test('at the moment in which its review’s run fails has no other left in the queue', async () => {
    const site = await siteForTests(stages);
    const [ticketId = ''] = site.ticketIds;
    await site.submit(ticketId, { 'b.txt': 'b\n' });
    const got = await stages.claim({ capabilities: ['checks'] });
    if (got === undefined) throw new Error('there is nothing to review');
    const [failed, goOn] = [createGate(), createGate()];
    const failing = stages.engine(async tx => {
      const ended = { failureClass: 'sandbox', message: 'm', settings: stages.settings } as const;
      await failRun(tx, { runId: got.run.id, token: got.token }, ended);
      failed.open();
      await goOn.passed;
    });
    await failed.passed;
    const cancelling = stages.app(tx => cancelTicket(tx, ticketId, { reason: 'r', cascade: true })).then(() => stages.drain());
    // Either waits for the failure to be written down: the cancellation, or what follows from it.
    const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until('a wait for the failure', async () => ((await stages.sql(waiting)).length > 0 ? true : undefined));
    goOn.open();
    await Promise.all([failing, cancelling]);
    await stages.drain();
    expect(await site.runs(ticketId)).toEqual(['ticket cancelled', 'review failed', 'review cancelled']);
  });
});

describe('a verdict', () => {
  test('sends red work back with its evidence, and the ticket fails after the last round', async () => {
    const site = await siteForTests(stages);
    for (let round = 1; round <= stages.settings.roundsMax; round++) {
      const attempt = await site.submit(site.ticketIds[0], { 'b.txt': `${round}\n` });
      expect(attempt.task.feedback?.round).toBe(round === 1 ? undefined : round - 1);
      await site.review('red');
    }
    const { status, statusReason } = await ticket(site);
    expect([status, statusReason]).toEqual([
      'failed',
      'gave up after 3 rounds of review; the last: `npm test` ended with exit code 1',
    ]);
    // A retry begins with all rounds, on from the last work.
    await stages.app(tx => retryTicket(tx, site.ticketIds[0] ?? ''));
    await stages.drain();
    const again = await site.submit(site.ticketIds[0], { 'b.txt': 'good\n' });
    expect(again.task.feedback?.round).toBe(3);
    await site.review('red');
    expect((await ticket(site)).status).toBe('ready');
  });

  test('counts flaky as green, and says so', async () => {
    const site = await siteForTests(stages);
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    await site.review('flaky');
    expect(await site.reviews(site.ticketIds[0])).toMatchObject([
      { state: 'passed', reason: expect.stringContaining('red at first') },
    ]);
    expect((await ticket(site)).status).toBe('completed');
  });

  test.each([
    ['none', []],
    ['one too many', [{}, {}]],
    ['of another check', [{ name: 'other' }]],
    ['of another command', [{ command: ['true'] }]],
  ])('needs evidence of what was asked: %s is none', async (_, evidence) => {
    const site = await siteForTests(stages);
    const attempt = await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    await site.review(evidence);
    expect(await site.reviews(site.ticketIds[0])).toMatchObject([{ state: 'inconclusive' }]);
    expect([(await ticket(site)).status, await runState(stages, attempt)]).toEqual(['failed', 'cancelled']);
  });

  test('that comes late does not touch the next attempt', async () => {
    const site = await siteForTests(stages);
    const [ticketId = ''] = site.ticketIds;
    await site.submit(ticketId, { 'b.txt': 'b\n' });
    const [old] = await stages.sql<{ id: string }>(`select id from reviews where kind = 'submission'`);
    // Its run was lost with what follows from it, as after a crash; a person fails and retries the ticket.
    await stages.sql(`update runs set state = 'cancelled', ended_at = now() where ticket_id = $1`, [ticketId]);
    await stages.sql(`update tickets set status = 'ready' where id = $1`, [ticketId]);
    await stages.engine(tx => queueRun(tx, ticketId, stages.settings));
    const next = await site.start(ticketId);
    await stages.engine(tx => giveUpReview(tx, old?.id ?? '', 'its run is gone'));
    expect((await ticket(site)).status).toBe('claimed');
    next.commit({ 'b.txt': 'b2\n' });
    await next.handIn();
    await stages.drain();
    await site.review();
    expect((await ticket(site)).status).toBe('completed');
  });
});
