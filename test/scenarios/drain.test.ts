import { request } from 'node:http';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { databaseOf, allCompleted, allEvents, build, type Farm, heldTwice, startFarm } from '../harness/farm.ts';
import { query } from '../harness/database.ts';
import { buildSkep, endAll, until } from '../harness/process.ts';
import { card } from '../harness/story.ts';

beforeAll(buildSkep);
afterEach(endAll);

/** Sends the first half of a body now and the second when told to: a request that is being asked all the while. */
function inHalves(farm: Farm, path: string, body: string) {
  const headers = {
    authorization: `Bearer ${farm.token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  const half = Math.floor(body.length / 2);
  const asked = request(`${farm.url}${path}`, { method: 'POST', headers });
  const status = new Promise<number>((resolve, reject) => {
    asked.on('response', answer => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.on('error', reject);
  });
  const sent = new Promise<void>(resolve => asked.write(body.slice(0, half), () => resolve()));
  return { sent, status, finish: () => asked.end(body.slice(half)) };
}

const get = (url: string) => fetch(url, { headers: { connection: 'close' } });

test('SIGTERM: not ready at once, no work is handed out, what is being asked is answered, and it ends with 0', async () => {
  const farm = await startFarm();
  const upload = inHalves(farm, '/api/projects', JSON.stringify({ name: 'slow' }));
  await upload.sent;
  const waiting = farm.call('POST', '/api/claim', { worker: 'w', wait_ms: 60_000 });
  await until('both are being asked', async () => ((await farm.call('GET', '/api/projects')).status === 200 ? true : undefined));
  const ended = farm.server.kill('SIGTERM');
  expect((await waiting).status).toBe(204);
  const ready = await get(`${farm.url}/ready`);
  expect([ready.status, ready.headers.get('skep-fault')]).toEqual([503, 'shutting_down']);
  expect((await get(`${farm.url}/health`)).status).toBe(200);
  expect((await farm.call('GET', '/api/projects')).status).toBe(200);
  const late = await farm.call('POST', '/api/claim', { worker: 'w', wait_ms: 60_000 });
  expect([late.status, late.headers.get('skep-fault')]).toEqual([503, 'shutting_down']);
  const database = await databaseOf(farm);
  await until('the others see it', async () => {
    const [row] = await query<{ state: string }>(database, 'select state from skep.servers');
    return row?.state === 'draining' ? true : undefined;
  });
  upload.finish();
  expect(await upload.status).toBe(201);
  await ended;
  expect(await farm.server.ended).toMatchObject({ code: 0 });
  expect(await query(await databaseOf(farm), 'select from skep.servers')).toEqual([]);
});

test('SIGTERM under load: the server ends with 0, is started again, and no run is lost or done twice', async () => {
  let farm = await startFarm();
  for (const name of ['one', 'other']) farm.worker(name, { slots: 2 });
  const features = Array.from({ length: 12 }, (_, i) => ({ title: `f${i}` }));
  await build(farm, 'sleep 0.5; date > "$SKEP_TICKET_ID.txt"', card('load', features));
  for (let times = 1; times <= 3; times++) {
    await until('more is done', async () => {
      const done = (await allEvents(farm)).filter(({ type }) => type === 'run.submitted');
      return done.length >= times * 3 ? true : undefined;
    });
    await farm.server.kill('SIGTERM');
    expect(await farm.server.ended).toMatchObject({ code: 0, signal: null });
    farm = await farm.restart();
  }
  const done = await until('all tickets completed', () => allCompleted(farm));
  const events = await allEvents(farm);
  expect(events.filter(({ type }) => type === 'run.lost' || type === 'run.failed')).toEqual([]);
  expect(heldTwice(events)).toEqual([]);
  expect(done.map(({ attempts }) => attempts)).toEqual(features.map(() => 1));
}, 150_000);
