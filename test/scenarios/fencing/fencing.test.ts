import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createToken } from '../../../src/support/access/index.ts';
import { startTestGateway, type TestGateway } from '../../harness/gateway.ts';
import { answers } from '../../harness/model-answers.ts';
import { ask } from '../../harness/raw.ts';
import { type ServedStages, serveStages } from '../../harness/routes.ts';
import { contents } from '../../harness/tables.ts';
import { type Hand, unguarded, type Write, writes } from './writes.ts';
import { claim, type Ground, type Zombie, zombies } from './zombies.ts';

let gateway: TestGateway;
let served: ServedStages;
let ground: Ground;
// No loop runs here: what a snapshot shows to have changed was changed by the request.
beforeAll(async () => {
  gateway = await startTestGateway();
  const { stages } = gateway;
  served = await serveStages(stages, gateway.gateway);
  const secretOf = async (role: 'worker' | 'admin') => (await stages.app(tx => createToken(tx, { name: role, role }))).secret;
  ground = { stages, url: served.url, worker: await secretOf('worker'), admin: await secretOf('admin') };
});
afterAll(async () => {
  await served.close();
  await gateway.close();
});

test('every route by which a holder writes is in the table', () => {
  const isHolders = ({ method, url, need }: ServedStages['routes'][number]) =>
    (need === 'work' && url.startsWith('/api/') && !url.startsWith('/api/v1/') && method !== 'HEAD') ||
    (url.startsWith('/gateway/') && method === 'POST');
  const routes = served.routes.filter(isHolders).map(({ method, url }) => `${method} ${url}`);
  const known = [...new Set([...writes.map(write => write.route), ...Object.keys(unguarded)])];
  expect(known.sort()).toEqual([...new Set(routes)].sort());
});

test.each(writes.filter(write => write.isSlow !== true))('$name, by who holds the run, is believed', async write => {
  const wire = write.name.split(', ')[1] as keyof typeof answers;
  const answer = write.name.startsWith('call of a model') ? { parts: answers[wire].events } : { parts: ['{"input_tokens":1}'] };
  gateway.local.answer({ ...answer, headers: { 'content-type': 'text/event-stream' } });
  const hand = await holder(write);
  const { status } = await ask(ground.url, write.request(hand));
  const wanted = { 'call of nothing': 404, parking: 409 }[write.name] ?? 200;
  expect([write.name, write.route.endsWith('/events') && status === 204 ? 200 : status]).toEqual([write.name, wanted]);
});

describe.each(zombies)('a zombie $name', zombie => {
  test('is refused whatever it writes, and none of it is kept', { timeout: 180_000 }, async () => {
    const hand = await zombie.rise(ground);
    const before = await everything();
    const tried = writes.filter(write => zombie.refusals[write.by] !== undefined);
    expect(tried.length).toBeGreaterThan(10);
    for (const write of tried) {
      const { status, text } = await ask(ground.url, write.request(hand));
      expect([write.name, status, text]).toEqual([write.name, answerTo(write, zombie), expect.anything()]);
      expect([write.name, changed(before, await everything())]).toEqual([write.name, {}]);
    }
    expect(gateway.local.requests.filter(({ text }) => text.includes(hand.runId))).toEqual([]);
  });
});

function answerTo(write: Write, zombie: Zombie): number | undefined {
  return zombie.mayRepeat?.includes(write.name) === true ? 200 : zombie.refusals[write.by];
}

/** Of a run that is not claimed yet where the write is the claim. */
async function holder(write: Write): Promise<Hand> {
  if (write.name !== 'claim') return claim(ground);
  const ticketId = await ground.stages.open();
  await ground.stages.drain();
  return { apiToken: ground.worker, leaseToken: '', runToken: '', runId: '', ticketId, commit: '' };
}

async function everything(): Promise<Readonly<Record<string, readonly string[]>>> {
  const { superuserUrl, folder } = ground.stages;
  const files = (readdirSync(folder, { recursive: true }) as string[]).filter(name => !/(^|\/)objects\//.test(name));
  return { ...(await contents(superuserUrl)), files: files.sort(), calls: gateway.local.requests.map(({ path }) => path) };
}

/** Rows that came, and rows that went, by table. */
function changed(before: Readonly<Record<string, readonly string[]>>, after: typeof before): Record<string, unknown> {
  const differs = Object.keys(after).filter(name => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return Object.fromEntries(
    differs.map(name => {
      const [was = [], is = []] = [before[name], after[name]];
      return [name, { came: is.filter(row => !was.includes(row)), went: was.filter(row => !is.includes(row)) }];
    }),
  );
}
