import { describe, expect, test } from 'vitest';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { type Attempt, handIn, runState, type Site, siteForTests } from '../../../test/harness/work.ts';
import { failRun, submitRun } from '../runs/verbs.ts';
import { retryTicket } from '../tickets/index.ts';
import { giveUpConflict, resolveAgain } from './conflict.ts';
import { rejectChange } from './verbs.ts';

let stages: Stages;
useStages(made => (stages = made));

const told = async (site: Site) =>
  Promise.all(site.ticketIds.map(async id => `${await stages.statusOf(id)} ${(await site.change(id))?.state ?? 'none'}`));
const resolved = { 'a.txt': 'one\ntwo\n' };
const failed = ({ claimed: { run, token } }: Attempt) =>
  stages.engine(tx =>
    failRun(tx, { runId: run.id, token }, { failureClass: 'agent_failed', message: 'm', settings: stages.settings }),
  );

/** Tickets that all change the same line: the first has landed, the second is in conflict with it. */
async function inConflict(count = 2): Promise<Site> {
  const site = await siteForTests(stages, {
    features: ['one', 'two', 'three'].slice(0, count).map(title => ({ title })),
    checks: [],
  });
  const attempts = [];
  for (const id of site.ticketIds) attempts.push(await site.start(id));
  for (const [i, attempt] of attempts.entries()) {
    attempt.commit({ 'a.txt': `${['one', 'two', 'three'][i]}\n` });
    await attempt.handIn();
    await stages.drain();
  }
  return site;
}

describe('work that does not merge with what landed meanwhile', () => {
  test('is given to an agent with both sides, reviewed as it resolved them, and lands', async () => {
    const site = await inConflict();
    expect(await told(site)).toEqual(['completed merged', 'merging conflict']);
    const [, ticketId] = site.ticketIds;
    const conflict = await site.change(ticketId);
    expect(conflict?.files).toEqual(['a.txt']);
    const { head } = await site.trunk();
    expect(await site.trunk()).toMatchObject({ merging: null });
    const resolution = await site.resolve();
    expect(resolution.task).toMatchObject({ commit: conflict?.head, merge: head, feedback: null });
    resolution.commit(resolved);
    await resolution.handIn();
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'completed merged']);
    expect(site.published()).toEqual({ 'a.txt': 'one\ntwo' });
    expect(await site.runs(ticketId)).toEqual(['ticket accepted', 'conflict accepted']);
  });

  test('does not hold up what does merge', async () => {
    const site = await siteForTests(stages, { features: [{ title: 'a' }, { title: 'b' }, { title: 'c' }], checks: [] });
    const attempts = [];
    for (const id of site.ticketIds) attempts.push(await site.start(id));
    for (const [i, attempt] of attempts.entries()) {
      attempt.commit(i === 2 ? { 'other.txt': 'x\n' } : { 'a.txt': `${i}\n` });
      await attempt.handIn();
    }
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'merging conflict', 'completed merged']);
    const resolution = await site.resolve();
    resolution.commit(resolved);
    await resolution.handIn();
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'completed merged', 'completed merged']);
  });

  test('can be in conflict a second time, once its first resolution was good', async () => {
    const site = await inConflict(3);
    expect(await told(site)).toEqual(['completed merged', 'merging conflict', 'merging conflict']);
    const [second, third] = [await site.resolve(), await site.resolve()];
    second.commit({ 'a.txt': 'one\ntwo\n' });
    third.commit({ 'a.txt': 'one\nthree\n' });
    await second.handIn();
    await stages.drain();
    await third.handIn();
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'completed merged', 'merging conflict']);
    expect(await runState(stages, third)).toBe('accepted');
    const again = await site.resolve();
    again.commit({ 'a.txt': 'one\ntwo\nthree\n' });
    await again.handIn();
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'completed merged', 'completed merged']);
    expect(site.published()).toEqual({ 'a.txt': 'one\ntwo\nthree' });
  });
});

describe('a resolution', () => {
  test('of nothing does not complete the ticket: it is asked for again', async () => {
    const site = await inConflict();
    const { claimed } = await site.resolve();
    const holder = { runId: claimed.run.id, token: claimed.token };
    await stages.engine(tx => submitRun(tx, holder, { summary: 'nothing to do' }));
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'merging conflict']);
    const again = await site.resolve();
    expect(again.task.feedback?.text).toContain('Nothing was handed in');
  });

  test('that is no bundle goes back to its conflict, not to its ticket', async () => {
    const site = await inConflict();
    const { claimed, task } = await site.resolve();
    await handIn(stages, claimed, {
      bytes: Buffer.from('# v2 git bundle\nnonsense'),
      result: { summary: '', head: task.commit },
    });
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'merging conflict']);
    expect(await site.runs(site.ticketIds[1])).toEqual(['ticket submitted', 'conflict returned', 'conflict queued']);
  });

  test('that is found wanting is asked for again with what was wrong, and after the last round the ticket is failed', async () => {
    const site = await inConflict();
    for (let round = 1; round <= stages.settings.roundsMax; round++) {
      // A run that fails in between counts no round and hides none.
      if (round === 2) await failed(await site.resolve());
      const attempt = await site.resolve();
      expect(attempt.task.feedback?.round).toBe(round === 1 ? undefined : round - 1);
      await handIn(stages, attempt.claimed, {
        bytes: Buffer.from('# v2 git bundle\nnonsense'),
        result: { summary: '', head: attempt.task.commit },
      });
      await stages.drain();
    }
    expect(await told(site)).toEqual(['completed merged', 'failed closed']);
    const [row] = await stages.sql<{ reason: string }>(
      `select status_reason as reason from tickets where status = 'failed' and type <> 'epic'`,
    );
    expect(row?.reason).toBe('its conflict with what landed meanwhile was not resolved in 3 rounds');
    expect(await stages.claim({ capabilities: ['conflicts', 'agent:exec'] })).toBeUndefined();
  });

  test('has its rounds anew once its ticket was retried', async () => {
    const site = await siteForTests(stages, { features: [{ title: 'a' }, { title: 'b' }, { title: 'c' }], checks: [] });
    const [first, second, third] = site.ticketIds;
    const bad = async () => {
      const { claimed, task } = await site.resolve();
      await handIn(stages, claimed, { bytes: Buffer.from('# v2 git bundle\n'), result: { summary: '', head: task.commit } });
      await stages.drain();
    };
    const attempts = [await site.start(first), await site.start(second)];
    for (const attempt of attempts) {
      attempt.commit({ 'a.txt': `${attempt.claimed.run.id}\n` });
      await attempt.handIn();
      await stages.drain();
    }
    for (let round = 1; round <= stages.settings.roundsMax; round++) await bad();
    expect(await told(site)).toEqual(['completed merged', 'failed closed', 'ready none']);
    await stages.app(tx => retryTicket(tx, second ?? ''));
    await stages.drain();
    // And again it meets what lands meanwhile.
    const again = await site.start(second);
    await site.submit(third, { 'a.txt': 'third\n' });
    again.commit({ 'a.txt': 'again\n' });
    await again.handIn();
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'merging conflict', 'completed merged']);
    await bad();
    expect(await told(site)).toEqual(['completed merged', 'merging conflict', 'completed merged']);
  });

  test('that no run could make is tried as often again once its ticket was retried', async () => {
    const site = await siteForTests(stages, { features: [{ title: 'a' }, { title: 'b' }, { title: 'c' }], checks: [] });
    const [first, second, third] = site.ticketIds;
    const giveUp = async () => {
      const states: string[] = [];
      for (let i = 0; i < stages.settings.attemptsMax; i++) {
        states.push((await told(site))[1] ?? '');
        await failed(await site.resolve());
        await stages.drain();
      }
      return states;
    };
    const attempts = [await site.start(first), await site.start(second)];
    for (const attempt of attempts) {
      attempt.commit({ 'a.txt': `${attempt.claimed.run.id}\n` });
      await attempt.handIn();
      await stages.drain();
    }
    const inWork = Array.from({ length: stages.settings.attemptsMax }, () => 'merging conflict');
    expect([await giveUp(), await told(site)]).toEqual([inWork, ['completed merged', 'failed closed', 'ready none']]);
    await stages.app(tx => retryTicket(tx, second ?? ''));
    await stages.drain();
    const again = await site.start(second);
    await site.submit(third, { 'a.txt': 'third\n' });
    again.commit({ 'a.txt': 'again\n' });
    await again.handIn();
    await stages.drain();
    expect([await giveUp(), await told(site)]).toEqual([inWork, ['completed merged', 'failed closed', 'completed merged']]);
  });

  test('that no run can make fails the ticket', async () => {
    const site = await inConflict();
    for (let i = 0; i < stages.settings.attemptsMax; i++) await failed(await site.resolve());
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'failed closed']);
    expect((await site.runs(site.ticketIds[1])).at(0)).toBe('ticket cancelled');
  });

  test('that a person rejects is over: the ticket goes back with the reason, and a later conflict can be resolved', async () => {
    const site = await siteForTests(stages, {
      files: { 'a.txt': 'a\n', 'test/a.test.js': 'a\n' },
      features: [{ title: 'one' }, { title: 'two' }],
      checks: [],
    });
    const attempts = [await site.start(site.ticketIds[0]), await site.start(site.ticketIds[1])];
    for (const [i, attempt] of attempts.entries()) {
      attempt.commit({ 'a.txt': `${i}\n` });
      await attempt.handIn();
      await stages.drain();
    }
    const resolution = await site.resolve();
    resolution.commit({ 'a.txt': 'both\n', 'test/a.test.js': 'weaker\n' });
    await resolution.handIn();
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'waiting open']);
    const change = await site.change(site.ticketIds[1]);
    await stages.engine(tx => rejectChange(tx, change?.id ?? '', { reason: 'leave the test alone', settings: stages.settings }));
    await stages.drain();
    expect(await runState(stages, resolution)).toBe('returned');
    expect(await told(site)).toEqual(['completed merged', 'ready open']);
    const again = await site.start(site.ticketIds[1]);
    expect(again.task.feedback?.text).toContain('leave the test alone');
    again.commit({ 'test/a.test.js': 'a\n' });
    await again.handIn();
    await stages.drain();
    expect(await told(site)).toEqual(['completed merged', 'completed merged']);
  });

  test('is queued once, however many think of it, and not once the ticket is over', async () => {
    const site = await inConflict();
    const change = await site.change(site.ticketIds[1]);
    const again = () => stages.engine(tx => resolveAgain(tx, change?.id ?? '', stages.settings));
    await Promise.all(Array.from({ length: 10 }, again));
    expect(await site.runs(site.ticketIds[1])).toEqual(['ticket submitted', 'conflict queued']);
    await stages.engine(tx => giveUpConflict(tx, change?.id ?? '', 'no use'));
    await again();
    expect(await site.runs(site.ticketIds[1])).toEqual(['ticket cancelled', 'conflict cancelled']);
    await stages.drain();
  });
});
