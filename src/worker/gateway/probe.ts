import type { Claimed } from '../../../contract/runs.ts';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { runFailure } from '../failure.ts';

interface Parts {
  readonly client: Pick<Client, 'access'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const triesMax = 3;
const waitMs = 500;
const answerMsMax = 5_000;

const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'skep-worker', version: '1' } },
});

/**
 * Whether the agent will be able to report: some work on in silence where they can't, and are paid for it. Throws a run failure,
 * which is tried again: `network` where the server was not reached, otherwise `sandbox`.
 */
export async function probeReportBack({ gateway }: Pick<Claimed, 'gateway'>, { client, clock, signal }: Parts): Promise<void> {
  const { server } = await client.access();
  let why = '';
  for (let tries = 1; tries <= triesMax; tries++) {
    signal.throwIfAborted();
    why = await askOnce(`${server.replace(/\/+$/, '')}/gateway/mcp`, gateway.token);
    if (why === '') return;
    if (tries < triesMax) await clock.sleep(waitMs * tries, signal);
  }
  throw runFailure(
    unreached.has(why) ? 'network' : 'sandbox',
    `The server does not take reports of agents (${why}): none was started, since it could not say how it ends`,
  );
}

/** What was wrong; empty when nothing was. */
async function askOnce(url: string, token: string): Promise<string> {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  try {
    const answer = await fetch(url, { method: 'POST', headers, body: initialize, signal: AbortSignal.timeout(answerMsMax) });
    const text = await answer.text();
    if (!answer.ok) return `HTTP ${answer.status}`;
    return text.includes('"serverInfo"') ? '' : 'its answer is not one of the protocol';
  } catch (error) {
    return error instanceof Error && error.name === 'TimeoutError' ? noAnswer : noConnection;
  }
}

const noAnswer = 'no answer in time';
const noConnection = 'no connection';
const unreached: ReadonlySet<string> = new Set([noAnswer, noConnection]);
