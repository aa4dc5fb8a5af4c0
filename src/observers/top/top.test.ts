import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { top, type WireTop } from '../../../contract/fleet/top.ts';
import { type Stages, stagesForTests } from '../../../test/harness/stages.ts';
import { readTop } from './read.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
});
afterEach(async () => {
  await stages.close();
});

const incarnation = '6f4b5f0e-1111-4222-8333-444455556666';

async function look(tenantId = stages.tenantId): Promise<WireTop> {
  const seen = await readTop(stages.database, { tenantId, actor: 'test' });
  // What the route would refuse to send is found here.
  return top.parse(seen);
}

async function worker(
  name: string,
  { state = 'active', told = false, capabilities = ['agent:exec', 'isolation:namespaces'] } = {},
): Promise<void> {
  await stages.sql(
    `insert into workers (tenant_id, name, incarnation, host, version, slots, capabilities, state, is_told_to_drain)
     values ($1, $2, $3, 'h', '1', 2, $4, $5, $6)`,
    [stages.tenantId, name, incarnation, capabilities, state, told],
  );
}

async function queued(count: number, files: string[] = []): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push(await stages.open({ title: `t${i}`, files }));
  await stages.drain();
  return ids;
}

const reasons = ({ queue }: WireTop) => queue.held_back.map(({ why, runs, detail }) => `${why} ${runs}: ${detail}`);

test('an empty tenant has an empty picture', async () => {
  expect(await look()).toEqual({
    at: expect.any(String),
    queue: { due: 0, later: 0, aged: 0, oldest_ms: null, held_back: [], waiting: 0, questions: 0 },
    ...{ runs: [], retries: [], workers: [], servers: [], breakers: [] },
    brake: { state: 'off', reason: '', pulled_by: '', pulled_at: null, due_at: null, pulls: 0 },
  });
});

test('what is due, held, waits and has aged is counted, of this tenant alone', async () => {
  await worker('w');
  const [first, second, third] = await queued(4);
  const claimed = await stages.claim({ ticketId: first ?? '' });
  await stages.sql(`update runs set due_at = now() - interval '1 hour', aged_at = now() where subject_id = $1`, [second]);
  await stages.sql(`update runs set due_at = now() + interval '1 minute', attempt = 2 where subject_id = $1`, [third]);
  await stages.sql(
    `insert into runs (tenant_id, subject_type, subject_id, attempt, state, failure_class, failure_message, ended_at, ticket_id)
     values ($1, 'ticket', $2, 1, 'failed', 'network', 'no route', now(), $2)`,
    [stages.tenantId, third],
  );
  await stages.sql(
    `update runs set phase = 'stream', health = 'late', leased_at = now() - interval '5 s', lease_expires_at = now() + interval '7 s'
      where subject_id = $1`,
    [first],
  );
  await stages.sql(
    `insert into questions (tenant_id, kind, subject_type, subject_id, text, due_at)
     values ($1, 'ask', 'run', $2, 'which?', now() + interval '1 hour')`,
    [stages.tenantId, claimed?.run.id],
  );
  const seen = await look();
  expect(seen.queue).toMatchObject({ due: 2, later: 1, aged: 1, waiting: 0, questions: 1, held_back: [] });
  expect(seen.queue.oldest_ms).toBeGreaterThanOrEqual(3_600_000);
  expect(seen.queue.oldest_ms).toBeLessThan(3_700_000);
  expect(seen.runs).toMatchObject([
    {
      ...{ id: claimed?.run.id, subject_type: 'ticket', ticket_id: first, title: 't0', project: 'p', attempt: 1 },
      ...{ state: 'leased', phase: 'stream', health: 'late', worker: 'w' },
    },
  ]);
  const [run] = seen.runs;
  expect(run?.held_ms).toBeGreaterThanOrEqual(5_000);
  expect(run?.lease_left_ms).toBeGreaterThan(4_000);
  expect(run?.lease_left_ms).toBeLessThanOrEqual(7_000);
  expect(seen.retries).toMatchObject([{ ticket_id: third, attempt: 2, reason: 'network: no route' }]);
  expect(seen.retries[0]?.due_in_ms).toBeGreaterThan(50_000);
  expect(seen.workers).toMatchObject([{ name: 'w', slots: 2, busy: 1, state: 'active' }]);
  const other = await look(await stages.makeTenant('other'));
  expect([other.runs, other.retries, other.workers]).toEqual([[], [], []]);
  expect(other.queue).toMatchObject({ due: 0, later: 0, questions: 0 });
});

test('a lease that has run out is shown with nothing left of it', async () => {
  const { run } = await stages.claimNew();
  await stages.expire(run.id);
  expect((await look()).runs).toMatchObject([{ id: run.id, lease_left_ms: 0 }]);
});

test('what is hardly heard of comes first, and at most 200 rows come at all', async () => {
  await stages.sql(
    `insert into runs (tenant_id, subject_type, subject_id, attempt, state, lease_expires_at, leased_at, worker, health)
     select $1, 'review', 's' || n, 1, 'working', now() + interval '1 minute', now() - make_interval(secs => n), 'w',
            case n when 3 then 'late' when 2 then 'degraded' else 'ok' end from generate_series(1, 300) n`,
    [stages.tenantId],
  );
  const seen = await look();
  expect(seen.runs).toHaveLength(200);
  expect(seen.runs.slice(0, 3).map(run => [run.subject_id, run.health])).toEqual([
    ['s2', 'degraded'],
    ['s3', 'late'],
    ['s300', 'ok'],
  ]);
});

test('servers are shown, breakers say what they are now, and so does the brake', async () => {
  await stages.sql(`insert into servers (id, name, version, url, state) values ($1, 'host:7', '1.2', 'http://h:1', 'draining')`, [
    incarnation,
  ]);
  await stages.sql(
    `insert into breakers (tenant_id, provider, model, state) values
       ($1, 'anthropic', 'big', jsonb_build_object('ownState', jsonb_build_object('value', 1, 'openedAt', floor(extract(epoch from now()) * 1000))))`,
    [stages.tenantId],
  );
  await stages.sql(`insert into brakes (tenant_id, state, reason, pulled_by, pulls) values ($1, 'on', 'all fails', 'storm', 2)`, [
    stages.tenantId,
  ]);
  const seen = await look();
  expect(seen.servers).toMatchObject([{ id: incarnation, name: 'host:7', version: '1.2', url: 'http://h:1', state: 'draining' }]);
  expect(seen.breakers).toMatchObject([{ provider: 'anthropic', model: 'big', state: 'open' }]);
  const openMs = Date.parse(seen.breakers[0]?.open_until ?? '') - Date.parse(seen.at);
  expect(openMs).toBeGreaterThan(20_000);
  expect(openMs).toBeLessThanOrEqual(30_000);
  expect(seen.brake).toMatchObject({ state: 'on', reason: 'all fails', pulled_by: 'storm', due_at: null, pulls: 2 });
});

describe('why runs that are due are not claimed', () => {
  test('no worker, until one is there that may claim', async () => {
    await queued(2);
    expect(reasons(await look())).toEqual(['no_worker 2: no active worker offers agent:exec, isolation:namespaces']);
    await worker('told', { told: true });
    await worker('draining', { state: 'draining' });
    await worker('other', { capabilities: ['agent:codex', 'isolation:namespaces'] });
    expect(reasons(await look())).toEqual(['no_worker 2: no active worker offers agent:exec']);
    await worker('w');
    expect(reasons(await look())).toEqual([]);
  });

  test('limits', async () => {
    await worker('w');
    await queued(3);
    await stages.claim();
    await stages.sql(`insert into run_limits (tenant_id, scope, scope_id, runs_max) values ($1, 'project', $2, 1)`, [
      stages.tenantId,
      stages.projectId,
    ]);
    expect(reasons(await look())).toEqual(['limit 2: at most 1 run of project p']);
    expect(await stages.claim()).toBeUndefined();
  });

  test('the brake, and what is tried while it is eased', async () => {
    await worker('w');
    await queued(2);
    await stages.sql(`insert into brakes (tenant_id, state, reason) values ($1, 'on', 'a storm')`, [stages.tenantId]);
    expect(reasons(await look())).toEqual(['brake 2: a storm']);
    await stages.sql(`update brakes set state = 'trying', changed_at = clock_timestamp()`);
    expect(reasons(await look())).toEqual([]);
    await stages.claim();
    expect(reasons(await look())).toEqual(['brake 1: one run at a time, until one is handed in']);
  });

  test.each([
    { name: 'the same file', held: ['src/a.ts'], wanted: ['src/a.ts'], collides: true },
    { name: 'a file in a folder that the other names', held: ['src'], wanted: ['src/deep/a.ts'], collides: true },
    { name: 'a folder with a file that the other names', held: ['src/deep/a.ts'], wanted: ['src'], collides: true },
    { name: 'another file', held: ['src/a.ts'], wanted: ['src/b.ts'], collides: false },
    { name: 'a name that begins so', held: ['src/a'], wanted: ['src/a.ts'], collides: false },
    { name: 'nothing', held: ['src/a.ts'], wanted: [], collides: false },
  ])('files: $name', async ({ held, wanted, collides }) => {
    await worker('w');
    await queued(1, held);
    expect(await stages.claim()).toBeDefined();
    await queued(1, wanted);
    expect(reasons(await look())).toEqual(collides ? ['files 1: another run works on the same files'] : []);
    // And the claim thinks so too.
    expect((await stages.claim()) === undefined).toBe(collides);
  });

  test('files that an aged run waits for, but not that run itself', async () => {
    await worker('w');
    const [aged] = await queued(2, ['src/a.ts']);
    await stages.sql(`update runs set priority = 1000000, aged_at = now() where subject_id = $1`, [aged]);
    expect(reasons(await look())).toEqual(['files 1: another run works on the same files']);
    expect((await stages.claim())?.run.subjectId).toBe(aged);
  });
});

test('tells of 1,000 runs', async () => {
  await worker('w');
  await stages.sql(
    `insert into tickets (tenant_id, id, number, project_id, type, title, status, files)
     select $1, 'TKT-' || n, n, $2, 'task', 't', case when n <= 1100 then 'running' else 'ready' end,
            array['src/' || n || '/a.ts', 'src/' || (n % 50), 'docs/' || n || '.md', 'test/' || n || '.test.ts']
       from generate_series(1001, 2000) n`,
    [stages.tenantId, stages.projectId],
  );
  await stages.sql(
    `insert into runs (tenant_id, subject_type, subject_id, ticket_id, ticket_status, attempt, state, requires, agent, project_id, worker, leased_at,
                       lease_expires_at, due_at)
     select $1, 'ticket', id, id, 'ready', 2, case when status = 'running' then 'working' else 'queued' end, array['agent:exec'], 'exec', $2,
            'w', case when status = 'running' then now() end, case when status = 'running' then now() + interval '1 hour' end,
            case when number > 1800 then now() + interval '1 hour' else now() end
       from tickets`,
    [stages.tenantId, stages.projectId],
  );
  await stages.sql('analyze');
  const seen = await look();
  expect([seen.runs.length, seen.queue.due, seen.queue.later]).toEqual([100, 700, 200]);
  expect(seen.queue.held_back[0]?.runs).toBeGreaterThan(100);
});
