import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answers } from '../../harness/model-answers.ts';
import { ask } from '../../harness/raw.ts';
import type { ServedStages } from '../../harness/routes.ts';
import { expectRefused, type Graveyard, openGraveyard } from './ground.ts';
import { type Hand, unguarded, type Write, writes } from './writes.ts';
import { claim, zombies } from './zombies.ts';

let yard: Graveyard;
beforeAll(async () => {
  yard = await openGraveyard();
});
afterAll(() => yard.close());

test('every route by which a holder writes is in the table', () => {
  const isHolders = ({ method, url, need }: ServedStages['routes'][number]) =>
    (need === 'work' && url.startsWith('/api/') && !url.startsWith('/api/v1/') && method !== 'HEAD') ||
    (url.startsWith('/gateway/') && method === 'POST');
  const routes = yard.served.routes.filter(isHolders).map(({ method, url }) => `${method} ${url}`);
  const known = [...new Set([...writes.map(write => write.route), ...Object.keys(unguarded)])];
  expect(known.sort()).toEqual([...new Set(routes)].sort());
});

test.each(writes.filter(write => write.isSlow !== true))('$name, by who holds the run, is believed', async write => {
  const wire = write.name.split(', ')[1] as keyof typeof answers;
  const answer = write.name.startsWith('call of a model') ? { parts: answers[wire].events } : { parts: ['{"input_tokens":1}'] };
  yard.gateway.local.answer({ ...answer, headers: { 'content-type': 'text/event-stream' } });
  const hand = await holder(write);
  const { status } = await ask(yard.ground.url, write.request(hand));
  const wanted = { 'call of nothing': 404, parking: 409 }[write.name] ?? 200;
  expect([write.name, write.route.endsWith('/events') && status === 204 ? 200 : status]).toEqual([write.name, wanted]);
});

describe.each(zombies)('a zombie $name', zombie => {
  test('is refused whatever it writes, and none of it is kept', { timeout: 180_000 }, async () => {
    await expectRefused(yard, zombie, await zombie.rise(yard.ground));
  });
});

/** Of a run that is not claimed yet where the write is the claim. */
async function holder(write: Write): Promise<Hand> {
  if (write.name !== 'claim') return claim(yard.ground);
  const { ground } = yard;
  const ticketId = await ground.stages.open();
  await ground.stages.drain();
  return { apiToken: ground.worker, leaseToken: '', runToken: '', runId: '', ticketId, commit: '' };
}
