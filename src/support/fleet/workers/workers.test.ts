import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { query } from '../../../../test/harness/database.ts';
import { until } from '../../../../test/harness/process.ts';
import { type Answer, type TestApi, testApi } from '../../../../test/harness/server.ts';
import { createToken } from '../../access/index.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.stop());

interface Seen {
  readonly name: string;
  readonly state: string;
  readonly incarnation: string;
  readonly started_at: string;
  readonly beat_at: string;
}

let count = 0;
/** One process of a worker. */
function worker(name = `w${++count}`) {
  const incarnation = randomUUID();
  const path = `/api/workers/${encodeURIComponent(name)}`;
  return {
    name,
    incarnation,
    beat: (more: object = {}): Promise<Answer> =>
      api.call('PUT', path, { incarnation, host: 'build-7', version: '1.0.0', slots: 2, capabilities: ['agent:exec'], ...more }),
  };
}
const first = { is_first: true };

async function seen(name: string): Promise<Seen | undefined> {
  const { body } = await api.call('GET', '/api/workers');
  return (body['workers'] as Seen[]).find(each => each.name === name);
}

const told = async (name: string) =>
  (
    await query<{ type: string }>(
      api.superuserUrl,
      `select type from skep.events where subject_type = 'worker' and subject_id = $1 order by id`,
      [name],
    )
  ).map(({ type }) => type.replace('worker.', ''));

/** Lets it have been heard of so many seconds ago. */
const silence = (name: string, seconds: number) =>
  query(api.superuserUrl, 'update skep.workers set beat_at = clock_timestamp() - make_interval(secs => $2) where name = $1', [
    name,
    seconds,
  ]);

test('a worker is told of from its first beat to its last', async () => {
  const one = worker();
  expect((await one.beat(first)).body).toEqual({ beat_ms: 5_000, is_told_to_drain: false, kills: [] });
  expect(await seen(one.name)).toMatchObject({
    state: 'active',
    slots: 2,
    busy: 0,
    host: 'build-7',
    capabilities: ['agent:exec'],
  });
  await one.beat({ slots: 3, capabilities: ['agent:exec', 'label:gpu'], sandbox: { provider: 'bubblewrap' } });
  expect(await seen(one.name)).toMatchObject({
    slots: 3,
    capabilities: ['agent:exec', 'label:gpu'],
    sandbox: { provider: 'bubblewrap' },
  });
  await one.beat({ state: 'draining' });
  await one.beat({ state: 'draining' });
  await one.beat({ state: 'left' });
  expect(await seen(one.name)).toMatchObject({ state: 'left' });
  expect(await told(one.name)).toEqual(['joined', 'draining', 'left']);
});

test('what it holds is counted', async () => {
  const one = worker();
  await one.beat(first);
  const { body } = await api.call('POST', '/api/projects', { name: 'counted', agent: { kind: 'exec', command: ['true'] } });
  await api.call('POST', '/api/tickets', { project_id: body['id'], title: 'x' });
  expect((await api.call('POST', '/api/claim', { worker: one.name, wait_ms: 10_000 })).status).toBe(200);
  expect(await seen(one.name)).toMatchObject({ busy: 1 });
});

describe('one that falls silent', () => {
  test('is gone after three beats and not before, and is back with the next', async () => {
    const one = worker();
    await one.beat(first);
    await silence(one.name, 13);
    await api.call('GET', '/health');
    expect(await seen(one.name)).toMatchObject({ state: 'active' });
    await silence(one.name, 16);
    await until('it is gone', async () => ((await seen(one.name))?.state === 'gone' ? true : undefined));
    const before = await seen(one.name);
    await one.beat();
    expect(await seen(one.name)).toMatchObject({ state: 'active', started_at: before?.started_at });
    expect(await told(one.name)).toEqual(['joined', 'gone', 'joined']);
  });

  test('is forgotten after a day', async () => {
    const one = worker();
    await one.beat(first);
    await one.beat({ state: 'left' });
    await silence(one.name, 86_300);
    expect(await seen(one.name)).toMatchObject({ state: 'left' });
    await silence(one.name, 86_401);
    await until('it is forgotten', async () => ((await seen(one.name)) === undefined ? true : undefined));
  });
});

describe('two processes of one name', () => {
  test('the later one has it, and the earlier one is refused from then on', async () => {
    const old = worker();
    const next = worker(old.name);
    await old.beat(first);
    await next.beat(first);
    for (let beats = 0; beats < 2; beats++) {
      const refused = await old.beat();
      expect([refused.status, refused.body['error']]).toEqual([
        409,
        expect.stringContaining(`Another worker named "${old.name}"`),
      ]);
      expect((await next.beat()).status).toBe(200);
    }
    expect(await seen(old.name)).toMatchObject({ incarnation: next.incarnation });
  });

  test('one that only wakes up takes no name from one that lives, but from one that has left', async () => {
    const old = worker();
    const next = worker(old.name);
    await next.beat(first);
    expect((await old.beat({ state: 'left' })).status).toBe(409);
    await next.beat({ state: 'left' });
    expect((await old.beat()).status).toBe(200);
  });

  test('ten that begin at once leave one holder', async () => {
    const all = Array.from({ length: 10 }, () => worker('same'));
    await Promise.all(all.map(each => each.beat(first)));
    const answers = await Promise.all(all.map(each => each.beat()));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });
});

describe('drain', () => {
  test('is heard with the next beat, stays with the name, and is taken back', async () => {
    const one = worker();
    await one.beat(first);
    expect((await api.call('POST', `/api/workers/${one.name}/drain`)).status).toBe(204);
    expect((await one.beat()).body).toMatchObject({ is_told_to_drain: true });
    expect((await worker(one.name).beat(first)).body).toMatchObject({ is_told_to_drain: true });
    for (let times = 0; times < 2; times++) expect((await api.call('POST', `/api/workers/${one.name}/undrain`)).status).toBe(204);
    expect(await seen(one.name)).toMatchObject({ is_told_to_drain: false });
  });

  test('of a worker that is not there is refused', async () => {
    const { status, body } = await api.call('POST', '/api/workers/nobody/drain');
    expect([status, body['error']]).toEqual([404, 'There is no worker named "nobody"']);
  });
});

test.each([
  ['no incarnation', { incarnation: undefined }, 'incarnation'],
  ['an incarnation that is none', { incarnation: 'me' }, 'incarnation'],
  ['no slots', { slots: 0 }, 'slots'],
  ['a state that only silence makes', { state: 'gone' }, 'state'],
  ['a field of its own', { beat_at: '2030-01-01T00:00:00Z' }, ''],
  ['101 capabilities', { capabilities: Array.from({ length: 101 }, (_, i) => `label:${i}`) }, 'capabilities'],
  ['a null byte', { host: 'a\u0000b' }, ''],
])('a beat with %s is refused', async (_, more, where) => {
  const { status, body } = await worker().beat(more);
  expect([status, String(body['error'])]).toEqual([400, expect.stringContaining(where)]);
});

test('a worker of another tenant is neither seen nor drained, and takes no name', async () => {
  const tenantId = await api.makeTenant('other');
  const { secret } = await api.database.request({ tenantId, actor: 'test' }, tx => createToken(tx, { name: 'o', role: 'admin' }));
  const theirs = api.callAs(secret);
  const mine = worker();
  await mine.beat(first);
  expect((await theirs('GET', '/api/workers')).body).toEqual({ workers: [] });
  expect((await theirs('POST', `/api/workers/${mine.name}/drain`)).status).toBe(404);
  const beat = { incarnation: randomUUID(), host: 'h', version: '1', slots: 1, is_first: true };
  expect((await theirs('PUT', `/api/workers/${mine.name}`, beat)).status).toBe(200);
  expect((await mine.beat()).status).toBe(200);
});
