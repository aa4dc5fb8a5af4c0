import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import type { TicketStatus } from './board.ts';
import { systemClock } from '../../../kernel/clock.ts';
import type { Context } from '../../context.ts';
import { loadBuild, watchBuild } from './watch.ts';
import type { Build } from './watch.ts';

/** What the server says at each look at the tickets; the last holds. */
interface Look {
  readonly status: TicketStatus;
  readonly beside?: TicketStatus;
  readonly questions?: readonly object[];
  readonly changes?: readonly object[];
}

let live: WebSocketServer;
beforeEach(async () => {
  live = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  live.on('connection', socket => socket.send(JSON.stringify({ kind: 'ready', cursor: 'c' })));
  await once(live, 'listening');
});
afterEach(async () => {
  for (const socket of live.clients) socket.terminate();
  await new Promise(resolve => live.close(resolve));
});

const time = '2026-01-01T00:00:00.000Z';
const session = { id: 's', project_id: 'p', state: 'building' };
const trunk = { id: 'k', state: 'ready', base_sha: 'a', head_sha: 'a', published_sha: null, publish_error: null };
const question = { id: 'q', kind: 'ask', state: 'pending', ticket_id: 'TKT-1', spec_id: null, project_id: 'p' };
const due = { ...question, due_at: time };
const node = (id: string, status: TicketStatus) => ({
  ...{ id, title: id, type: 'feature', status, status_reason: null, proof: null, attempts: 1, depends_on: [], updated_at: time },
});

/** Twenty times as fast as it is. */
const clock = {
  now: systemClock.now,
  mono: () => systemClock.mono() * 20,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 20, signal),
};

/** How a build stands in the end at a server that says this, and how often that was asked for its tickets. */
async function watch(looks: readonly Look[]): Promise<{ standing: string; taken: number }> {
  let taken = 0;
  let now: Look | undefined;
  const request = async (_: string, path: string) => {
    if (path === '/api/tickets/graph') {
      now = looks[Math.min(taken, looks.length - 1)];
      taken += 1;
      const { status = 'ready', beside } = now ?? {};
      return { nodes: [node('TKT-1', status), ...(beside === undefined ? [] : [node('TKT-2', beside)])] };
    }
    if (path === '/api/hitl/s') return now?.status === 'completed' ? { ...session, state: 'completed' } : session;
    if (path === '/api/trunks') return { trunks: [trunk] };
    if (path === '/api/questions') return { questions: now?.questions ?? [] };
    if (path === '/api/changes') return { changes: now?.changes ?? [] };
    if (path === '/api/runs') return { runs: [{}] };
    return path.startsWith('/api/specs/') ? { results: [] } : node('TKT-1', now?.status ?? 'ready');
  };
  const server = `http://127.0.0.1:${(live.address() as AddressInfo).port}`;
  const context = { client: { request }, clock, server, token: undefined, json: true } as unknown as Context;
  const given = { session: session as Build['session'], specId: 'x', name: 'n', note: '' };
  const build = await loadBuild(context, given);
  const quiet = { tell: () => undefined, refresh: () => undefined, pause: () => undefined };
  const later = async () => undefined;
  const watching = { context, reporter: quiet, signal: new AbortController().signal, decide: later, answer: later };
  return { standing: await watchBuild(build, watching), taken };
}

const over: Look = { status: 'completed' };
const asking: Look = { status: 'waiting', questions: [due] };

test('a build whose agent waits for an answer that holds by itself in time goes on until then, and after it', async () => {
  expect(await watch([asking, asking, asking, asking, { status: 'waiting' }, { status: 'ready' }, over])).toMatchObject({
    standing: 'completed',
  });
});

test('so does one in which another ticket has failed', async () => {
  const looks = [asking, asking, asking, over].map((look, i): Look => ({ ...look, beside: i < 3 ? 'failed' : 'completed' }));
  expect(await watch(looks)).toMatchObject({ standing: 'completed' });
});

test('what waits and does not show for what, as right after the answer, is looked at again', async () => {
  const bare: Look = { status: 'waiting' };
  expect(await watch([bare, bare, bare, { status: 'ready' }, over])).toMatchObject({ standing: 'completed' });
});

test('it is over where it stays so', async () => {
  expect(await watch([{ status: 'waiting' }])).toEqual({ standing: 'waiting', taken: 4 });
});

const flag = { id: 'c', ticket_id: 'TKT-1', approval: 'needed', state: 'open', head_sha: 'h' };
test.each<[string, Look]>([
  ['a person alone can answer', { status: 'waiting', questions: [{ ...question, due_at: null }] }],
  ['a budget is spent', { status: 'waiting', questions: [{ ...question, kind: 'budget', ticket_id: null, due_at: null }] }],
  ['a change is to be looked at', { status: 'waiting', changes: [flag] }],
])('it is over at once where %s', async (_, look) => {
  // As it was loaded, when it was watched, and when it seemed to be over.
  expect(await watch([look])).toEqual({ standing: 'waiting', taken: 3 });
});
