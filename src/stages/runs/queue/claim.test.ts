import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Stages, stagesForTests } from '../../../../test/harness/stages.ts';
import { cancelTicket, editTicket } from '../../tickets/index.ts';
import { failRun, getRun, returnClaim } from '../verbs.ts';
import { claimNext } from './claim.ts';

describe('the order of the queue', () => {
  let stages: Stages;
  beforeEach(async () => {
    stages = await stagesForTests();
  });
  afterEach(async () => {
    const left = await stages.ownerless();
    await stages.close();
    expect(left).toEqual([]);
  });

  const claimAll = async () => {
    const order: string[] = [];
    for (let got = await stages.claim(); got !== undefined; got = await stages.claim()) order.push(got.run.subjectId);
    return order;
  };

  test('is priority, then the chain of what waits, then age', async () => {
    const [old, chained, urgent, young] = [await stages.open(), await stages.open(), await stages.open(), await stages.open()];
    await stages.open({ dependsOn: [chained] });
    await stages.app(tx => editTicket(tx, urgent, { priority: 1 }));
    for (const id of [old, chained, urgent, young]) {
      // One job after the other, so that their ages differ.
      await stages.drain();
      expect(await stages.statusOf(id)).toBe('ready');
    }
    await stages.sql(`update runs set created_at = now() + make_interval(secs => substr(subject_id, 5)::int)`);
    expect(await claimAll()).toEqual([urgent, chained, old, young]);
  });

  test('answers the run as it stands, alone and with its ticket named, also after a claim that reached nobody', async () => {
    const id = await stages.open();
    await stages.drain();
    for (const wish of [{}, { ticketId: id }, {}]) {
      const { run, token } = (await stages.claim(wish)) ?? {};
      const runId = run?.id ?? '';
      expect(run).toEqual(await stages.app(tx => getRun(tx, runId)));
      await stages.sql(
        `update runs set sandbox = 's', phase = 'setup', phase_at = now(), health = 'late', report = '{"revision": 1}' where id = $1`,
        [runId],
      );
      await stages.engine(tx => returnClaim(tx, { runId, token: token ?? '' }, stages.settings));
    }
  });

  test('gives what was begun and broke off its place back, also when tickets are edited', async () => {
    const [begun, chained] = [await stages.open(), await stages.open()];
    await stages.drain();
    const first = await stages.claim({ ticketId: begun });
    await stages.open({ dependsOn: [chained] });
    const ended = { failureClass: 'stopped', message: 'm', settings: stages.settings } as const;
    await stages.engine(tx => failRun(tx, { runId: first?.run.id ?? '', token: first?.token ?? '' }, ended));
    await stages.drain();
    await stages.app(tx => editTicket(tx, chained, { title: 'Another' }));
    await stages.drain();
    expect(await claimAll()).toEqual([begun, chained]);
  });

  test('passes over what is not due, what the worker cannot do, what is another ticket, and what is another tenant', async () => {
    const id = await stages.open();
    await stages.drain();
    const other = await stages.makeTenant('other');
    expect(await stages.claim({ tenantId: other })).toBeUndefined();
    expect(await stages.claim({ capabilities: [] })).toBeUndefined();
    expect(await stages.claim({ capabilities: ['agent:another'] })).toBeUndefined();
    expect(await stages.claim({ ticketId: 'TKT-999' })).toBeUndefined();
    await stages.sql(`update runs set due_at = now() + interval '1 minute'`);
    expect(await stages.claim()).toBeUndefined();
    await stages.sql(`update runs set due_at = now()`);
    expect((await stages.claim({ ticketId: id, capabilities: ['agent:another', 'agent:exec'] }))?.run.subjectId).toBe(id);
  });

  test('passes over a ticket that was blocked or cancelled a moment ago, before the flow has withdrawn its run', async () => {
    const [need, blocked, cancelled] = [await stages.open(), await stages.open(), await stages.open()];
    await stages.drain();
    await stages.app(tx => editTicket(tx, blocked, { dependsOn: [need] }));
    await stages.app(tx => cancelTicket(tx, cancelled, { reason: 'r', cascade: false }));
    expect(await stages.sql(`select from runs where state = 'queued'`)).toHaveLength(3);
    expect(await claimAll()).toEqual([need]);
  });

  test('a claim is lease, fence, ticket and both events in one', async () => {
    const { run, token } = await stages.claimNew();
    expect(run).toMatchObject({ state: 'leased', worker: 'w', attempt: 1, subjectType: 'ticket' });
    expect(token).toMatch(/^[\w-]{43}$/);
    const [row] = await stages.sql<{ ms: number; status: string; attempts: number; hash: string }>(
      `select extract(epoch from r.lease_expires_at - clock_timestamp()) * 1000 as ms, t.status, t.attempts,
              encode(lease_token_hash, 'hex') as hash from runs r join tickets t on t.id = r.subject_id`,
    );
    expect(row).toMatchObject({ status: 'claimed', attempts: 1 });
    expect(Number(row?.ms)).toBeGreaterThan(5_000);
    expect(Number(row?.ms)).toBeLessThanOrEqual(15_000);
    expect(row?.hash).not.toContain(token);
    const events = await stages.sql<{ type: string; actor: string }>(
      `select type, actor from events where type in ('run.leased', 'ticket.claimed') order by type`,
    );
    expect(events).toEqual([
      { type: 'run.leased', actor: 'worker:w' },
      { type: 'ticket.claimed', actor: 'worker:w' },
    ]);
    expect(await stages.claim()).toBeUndefined();
  });
});

describe('many at once', () => {
  let stages: Stages;
  beforeAll(async () => {
    stages = await stagesForTests();
  });
  afterAll(() => stages.close());

  test('60 claims on 50 runs: each run to one, ten get nothing', async () => {
    for (let i = 0; i < 50; i++) await stages.open();
    await stages.drain();
    const wish = (i: number) => ({
      tenantId: stages.tenantId,
      actor: 'test',
      worker: `w${i}`,
      capabilities: ['agent:exec', 'isolation:namespaces'],
    });
    const claimed = await Promise.all(Array.from({ length: 60 }, (_, i) => claimNext(stages.database, wish(i), stages.settings)));
    let got = claimed.filter(claim => claim !== undefined);
    // An empty answer means that nothing was free at that moment: a row that another looked at was passed over. So ask again.
    for (let more = await stages.claim(); more !== undefined; more = await stages.claim()) got = [...got, more];
    expect(got).toHaveLength(50);
    expect(new Set(got.map(({ run }) => run.id)).size).toBe(50);
    expect(new Set(got.map(({ run }) => run.fence)).size).toBe(50);
    expect(new Set(got.map(({ token }) => token)).size).toBe(50);
    expect(await stages.sql(`select from events where type = 'run.leased'`)).toHaveLength(50);
    expect(await stages.sql(`select from tickets where status = 'claimed' and attempts = 1`)).toHaveLength(50);
    expect(await stages.ownerless()).toEqual([]);
  });

  test('40 claims against 20 edits that take tickets out of the queue: no run of a blocked ticket is held', async () => {
    const need = await stages.open({ priority: -1_000 });
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push(await stages.open());
    await stages.drain();
    await Promise.allSettled([
      ...ids.map(id => stages.app(tx => editTicket(tx, id, { dependsOn: [need] }))),
      ...Array.from({ length: 40 }, () => stages.claim()),
    ]);
    await stages.drain();
    const wrong = await stages.sql(
      `select t.id, t.status, r.state from tickets t join runs r on r.subject_id = t.id
        where r.state in ('queued', 'leased') and t.status not in ('ready', 'claimed')`,
    );
    expect(wrong).toEqual([]);
    expect(await stages.ownerless()).toEqual([]);
  });
});
