import { type Claimed, leaseHeader } from '../../contract/runs.ts';
import { askOf } from '../harness/model-answers.ts';
import { until } from '../harness/process.ts';
import type { Answer } from '../harness/server.ts';
import { patienceMs, patiently, type World } from './world.ts';

/** A run that the test holds itself, as a worker would, over HTTP. */
export interface Held {
  readonly ticketId: string;
  readonly claimed: Claimed;
}

/** A ticket that no worker takes, claimed and at work. */
export async function hold(world: World): Promise<Held> {
  const ticketId = await world.ticket(world.project('hand'));
  const claimed = await take(world, ticketId);
  await beat(world, claimed);
  return { ticketId, claimed };
}

function beat(world: World, { run, lease }: Claimed): Promise<Answer> {
  return world.ask('POST', '/api/heartbeat', { run_id: run.id, token: lease.token, state: 'working', sandbox: 'of a test' });
}

/** Asks until it is the holder: an answer may have been lost with the server. */
export function take(world: World, ticketId: string): Promise<Claimed> {
  return until(
    `a claim of ${ticketId}`,
    async () => {
      const wish = {
        worker: 'hand',
        capabilities: ['agent:exec', 'label:hand', 'isolation:namespaces'],
        ticket_id: ticketId,
        wait_ms: 500,
      };
      const { status, body } = await world.ask('POST', '/api/claim', wish);
      return status === 200 ? (body as unknown as Claimed) : undefined;
    },
    patienceMs,
  );
}

/** Hands it in without work, by whatever attempt it takes. */
export async function finish(world: World, { ticketId, claimed }: Held): Promise<void> {
  for (let held = claimed; ; held = await take(world, ticketId)) {
    const { id } = held.run;
    await world.ask('POST', '/api/complete', { run_id: id, token: held.lease.token, result: { summary: 'done' } });
    const { body } = await world.ask('GET', `/api/runs/${id}`);
    if (body['state'] === 'submitted' || body['state'] === 'accepted') return;
  }
}

export function fail(world: World, { claimed: { run, lease } }: Held): Promise<Answer> {
  return world.ask('POST', '/api/fail', {
    run_id: run.id,
    token: lease.token,
    class: 'agent_failed',
    message: 'as the test says',
  });
}

export function park(world: World, { claimed: { run, lease } }: Held): Promise<Answer> {
  return world.ask('POST', '/api/park', { run_id: run.id, token: lease.token, result: { summary: '' } });
}

/** A call of a model with what the sandbox of this run would show; not again where it breaks off, since it may have been paid. */
export async function callModel(world: World, { claimed }: Held): Promise<number> {
  const { path, body } = askOf('chat', { isStream: false });
  const headers = { authorization: `Bearer ${claimed.gateway.token}`, 'content-type': 'application/json' };
  const sent = fetch(`${world.farm().url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return sent.then(
    async answer => {
      await answer.text();
      return answer.status;
    },
    () => 0,
  );
}

export function keepArtifact(world: World, { claimed: { run, lease } }: Held): Promise<Answer> {
  return patiently(async () => {
    const { url, token } = world.farm();
    const headers = { authorization: `Bearer ${token}`, [leaseHeader]: lease.token, 'content-type': 'application/octet-stream' };
    const answer = await fetch(`${url}/api/runs/${run.id}/artifacts/notes`, { method: 'PUT', headers, body: 'what was thought' });
    return { status: answer.status, headers: answer.headers, body: { text: await answer.text() } };
  });
}

/** Its budget is spent: it is halted, parked, and hangs on a question; the question's id. */
export async function hang(world: World, held: Held): Promise<string> {
  const { id } = held.claimed.run;
  await world.ask('PUT', '/api/budgets', { scope: 'run', scope_id: id, cap_tokens: 1 });
  const status = await callModel(world, held);
  if (status !== 402) throw new Error(`a call beyond the budget was answered with ${status}`);
  await park(world, held);
  return until('its question', async () => {
    const { body } = await world.ask('GET', `/api/questions?ticket_id=${held.ticketId}&state=pending`);
    const [question] = body['questions'] as { id: string }[];
    return question?.id;
  });
}

export function answer(world: World, questionId: string, word: string): Promise<Answer> {
  return world.ask('POST', `/api/questions/${questionId}/answer`, { answer: word });
}
