import { describe, expect, test } from 'vitest';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { type Files, type Site, siteForTests } from '../../../test/harness/work.ts';
import { cancelRun } from '../runs/verbs.ts';
import { cancelTicket, retryTicket } from '../tickets/index.ts';
import { approveChange, rejectChange } from './verbs.ts';

let stages: Stages;
useStages(made => (stages = made));

const files = { 'a.txt': 'a\n', 'test/a.test.js': 'strict\n' };
const weaker = { 'b.txt': 'b\n', 'test/a.test.js': 'weak\n' };

/** One ticket whose work changes a test that was there. */
async function flagged(work: Files = weaker): Promise<Site & { id: string; head: string }> {
  const site = await siteForTests(stages, { files });
  await site.submit(site.ticketIds[0], work);
  await site.review();
  const change = await site.change(site.ticketIds[0]);
  return { ...site, id: change?.id ?? '', head: change?.head ?? '' };
}

const told = async (site: Site) => {
  const change = await site.change(site.ticketIds[0]);
  return `${await stages.statusOf(site.ticketIds[0] ?? '')} ${change?.state} ${change?.approval}`;
};
const approve = ({ id, head }: { id: string; head: string }) => stages.engine(tx => approveChange(tx, id, head));
const reject = ({ id }: { id: string }, reason = 'leave the test alone') =>
  stages.engine(tx => rejectChange(tx, id, { reason, settings: stages.settings }));

describe('work that changes what judges it', () => {
  test('waits for a person, and lands once he has approved it', async () => {
    const site = await flagged();
    expect(await told(site)).toBe('waiting open needed');
    expect(await site.trunk()).toMatchObject({ merges: 0 });
    await approve(site);
    await stages.drain();
    expect(await told(site)).toBe('completed merged given');
    expect(site.published()).toMatchObject({ 'test/a.test.js': 'weak' });
  });

  test('goes back with the reason where he rejects it, and what is handed in then is asked about anew', async () => {
    const site = await flagged();
    await reject(site);
    await stages.drain();
    expect(await told(site)).toBe('ready open not_needed');
    const again = await site.start(site.ticketIds[0]);
    expect(again.task.feedback?.text).toContain('leave the test alone');
    again.commit({ 'b.txt': 'better\n' });
    await again.handIn();
    await stages.drain();
    await site.review();
    expect(await told(site)).toBe('waiting open needed');
    await approve({ ...site, head: (await site.change(site.ticketIds[0]))?.head ?? '' });
    await stages.drain();
    expect(await told(site)).toBe('completed merged given');
  });

  test('is failed after the last round of rejections', async () => {
    const site = await flagged();
    for (let round = 1; ; round++) {
      await reject(site);
      await stages.drain();
      if (round === stages.settings.roundsMax) break;
      await site.submit(site.ticketIds[0], { 'b.txt': `${round}\n` });
      await site.review();
    }
    expect(await told(site)).toBe('failed closed not_needed');
  });

  test('waits for nobody where the project allows it, or where only new tests came', async () => {
    await stages.sql(`update projects set test_changes = 'allow'`);
    const allowed = await flagged();
    expect(await told(allowed)).toBe('completed merged not_needed');
    await stages.sql(`update projects set test_changes = 'ask'`);
    const added = await flagged({ 'b.txt': 'b\n', 'test/b.test.js': 'new\n' });
    expect(await told(added)).toBe('completed merged not_needed');
  });

  test('also where fewer tests ran than on the base', async () => {
    const site = await siteForTests(stages, { unprepared: true });
    const counts = (total: number) => ({ total, passed: total, failed: 0, skipped: 0 });
    await site.review([{ tests: counts(10) }]);
    await site.submit(site.ticketIds[0], { 'b.txt': 'b\n' });
    await site.review([{ tests: counts(9) }]);
    expect(await told(site)).toBe('waiting open needed');
    expect(await stages.sql(`select flags -> 0 ->> 'kind' as kind from changes`)).toEqual([{ kind: 'fewer_tests' }]);
  });
});

describe('a decision', () => {
  test('is of one head: of another one nothing was seen', async () => {
    const site = await flagged();
    await expect(approve({ ...site, head: 'f'.repeat(40) })).rejects.toMatchObject({
      code: 'wrong_state',
      facts: { head_sha: site.head },
    });
    expect(await told(site)).toBe('waiting open needed');
  });

  test('is made once: of 20 at once one counts, and the opposite is refused', async () => {
    const site = await flagged();
    const answers = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? approve(site) : reject(site))));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(approve(site)).rejects.toMatchObject({ code: 'wrong_state' });
    await expect(reject(site)).rejects.toMatchObject({ code: 'wrong_state' });
    await stages.drain();
    expect(['completed merged given', 'ready open not_needed']).toContain(await told(site));
  });

  test('on work whose ticket was cancelled or has failed is refused, and a retry asks anew', async () => {
    const site = await flagged();
    const [ticketId = ''] = site.ticketIds;
    const [run] = await stages.sql<{ id: string }>(`select id from runs where state = 'submitted' and subject_type = 'ticket'`);
    await stages.engine(tx => cancelRun(tx, run?.id ?? ''));
    // Before what follows from it is done.
    await expect(approve(site)).rejects.toMatchObject({ code: 'wrong_state' });
    await stages.app(tx => retryTicket(tx, ticketId));
    await stages.drain();
    expect(await told(site)).toBe('ready closed needed');
    await site.submit(ticketId, weaker);
    await site.review();
    expect(await told(site)).toBe('waiting open needed');
    await stages.app(tx => cancelTicket(tx, ticketId, { reason: 'r', cascade: true }));
    await stages.drain();
    expect(await told(site)).toBe('cancelled closed needed');
    await expect(reject(site)).rejects.toMatchObject({ code: 'wrong_state' });
  });

  test('of another tenant is of nothing', async () => {
    const site = await flagged();
    const tenantId = await stages.makeTenant('other');
    const theirs = { tenantId, actor: 'them' };
    await expect(stages.database.engine(theirs, tx => approveChange(tx, site.id, site.head))).rejects.toMatchObject({
      code: 'change_not_found',
    });
  });
});
