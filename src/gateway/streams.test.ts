import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestGateway, type TestGateway } from '../../test/harness/gateway.ts';
import { hang, mute } from '../../test/harness/scripted-model.ts';
import { answers, askOf } from '../../test/harness/model-answers.ts';

let at: TestGateway;
beforeAll(async () => {
  at = await startTestGateway({ timeouts: { betweenBytesMs: 5_000 } });
});
afterAll(() => at.close());

const { events } = answers.anthropic;

test('an event is passed on with its last byte, whatever comes after it', async () => {
  const first = Buffer.from(events[0] ?? '');
  const drip = [...first.subarray(-10)].flatMap(byte => [Buffer.from([byte]), { waitMs: 50 }]);
  at.local.answer({ headers: { 'content-type': 'text/event-stream' }, parts: [first.subarray(0, -10), ...drip, hang] });
  const reader = (await at.askWire('anthropic')).body?.getReader();
  const chunk = await reader?.read();
  expect(Buffer.from(chunk?.value ?? []).toString()).toBe(events[0]);
  await reader?.cancel();
  await at.local.until(requests => requests.at(-1)?.isLeft === true);
});

test('a stream of 1 byte per 5 ms is whole in the end, and nothing is held until then', async () => {
  const bytes = Buffer.from(events.join(''));
  const parts = [...bytes].flatMap((byte, index) =>
    index % 4 === 0 ? [Buffer.from([byte]), { waitMs: 5 }] : [Buffer.from([byte])],
  );
  at.local.answer({ headers: { 'content-type': 'text/event-stream' }, parts });
  const answer = await at.askWire('anthropic');
  const times: number[] = [];
  let text = '';
  for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
    times.push(performance.now());
    text += Buffer.from(chunk).toString();
  }
  expect(text).toBe(events.join(''));
  // One a event, but for those that fall together on a busy machine.
  expect(times.length).toBeGreaterThan(events.length / 2);
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(500);
});

test('a client that hangs up ends the request to the provider, and what was used is settled', async () => {
  at.local.answer({ parts: [...events.slice(0, 4), hang] });
  const answer = await at.askWire('anthropic');
  const reader = answer.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  await at.local.until(requests => requests.at(-1)?.isLeft === true);
  await expect
    .poll(() => at.settlements.at(-1))
    .toMatchObject({ state: 'incomplete', errorClass: 'client_gone', attempts: 1, usage: { inputTokens: 8 } });
});

test('so does one that hangs up before anything came', async () => {
  const settled = at.settlements.length;
  at.local.answer({ parts: [mute] });
  const asked = at.local.requests.length;
  const leaving = new AbortController();
  const { path, body } = askOf('chat');
  const answer = fetch(at.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${at.runToken}` },
    body: JSON.stringify(body),
    signal: leaving.signal,
  });
  await at.local.until(requests => requests.length > asked);
  leaving.abort();
  await expect(answer).rejects.toThrow('aborted');
  await at.local.until(requests => requests.at(-1)?.isLeft === true);
  await expect.poll(() => at.settlements.length).toBe(settled + 1);
  expect(at.settlements.at(-1)).toMatchObject({ state: 'failed', errorClass: 'client_gone' });
});

test('a client that does not read holds the provider back, and loses nothing', async () => {
  const delta = `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { text: 'x'.repeat(65_536) } })}\n\n`;
  const parts = [events[0] ?? '', ...Array.from({ length: 400 }, () => delta), events.at(-1) ?? ''];
  at.local.answer({ parts });
  const { path, body } = askOf('anthropic');
  let text = '';
  const heldBack = await new Promise<boolean>((resolve, reject) => {
    let isHeldBack = false;
    const sent = httpRequest(at.url + path, { method: 'POST', headers: { 'x-api-key': at.runToken } }, response => {
      response.pause();
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve(isHeldBack));
      response.once('error', reject);
      // A while in which the whole of it would have come.
      AbortSignal.timeout(300).addEventListener('abort', () => {
        isHeldBack = at.local.requests.at(-1)?.isAnswered === false;
        response.resume();
      });
    });
    sent.once('error', reject);
    sent.end(JSON.stringify(body));
  });
  expect(heldBack).toBe(true);
  expect(text).toBe(parts.join(''));
});

test('a zombie’s stream is cut within 2 s of its lease, and its token opens nothing more', async () => {
  const { run, runToken } = await at.stages.claimNew();
  at.local.answer({ parts: [...events.slice(0, 4), hang] });
  const { path, body } = askOf('anthropic');
  const ask = () => fetch(at.url + path, { method: 'POST', headers: { 'x-api-key': runToken }, body: JSON.stringify(body) });
  const answer = await ask();
  await at.stages.expire(run.id);
  const began = performance.now();
  let text = '';
  await expect(
    (async () => {
      for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) text += Buffer.from(chunk).toString();
    })(),
  ).rejects.toThrow('terminated');
  expect(performance.now() - began).toBeLessThan(2_000);
  expect(text).toContain('The run token is not valid any more');
  await at.local.until(requests => requests.at(-1)?.isLeft === true);
  await expect.poll(() => at.settlements.at(-1)).toMatchObject({ state: 'incomplete', errorClass: 'lease_lost' });
  expect((await ask()).status).toBe(401);
});

test('the whole of a call has a maximum', async () => {
  const short = await startTestGateway({ limits: { callMsMax: 300 } });
  short.local.answer({ parts: [mute] });
  const answer = await short.askWire('gemini');
  expect([answer.status, ((await answer.json()) as { error: { status: string } }).error.status]).toEqual([
    504,
    'DEADLINE_EXCEEDED',
  ]);
  expect(short.settlements).toMatchObject([{ state: 'failed', errorClass: 'total_time' }]);
  await short.close();
});

test('a stop of the server settles what is under way', async () => {
  const stopped = await startTestGateway();
  stopped.local.answer({ parts: [...events.slice(0, 4), hang] });
  const answer = await stopped.askWire('anthropic');
  const read = answer.text();
  await stopped.gateway.stop();
  await expect(read).rejects.toThrow('terminated');
  expect(stopped.settlements).toMatchObject([{ state: 'incomplete', errorClass: 'stopping' }]);
  const open = await stopped.stages.sql("select from model_calls where state not in ('completed', 'failed', 'incomplete')");
  expect(open).toEqual([]);
  await stopped.close();
});
