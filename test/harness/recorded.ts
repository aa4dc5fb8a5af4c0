import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Operation, Upstream, UpstreamCall, Wire } from '../../src/gateway/upstream.ts';
import { createRecordedUpstream, type Recording } from '../../src/providers/models/recorded/index.ts';
import type { Scene, Step } from '../../src/providers/models/recorded/format.ts';

type Run = UpstreamCall['run'];

/** The run of a ticket; what a test wants otherwise it says. */
export function runOf(wanted: Partial<Run> = {}): Run {
  return {
    tenantId: 't',
    runId: 'r',
    projectId: 'p',
    specId: null,
    ticketId: 'TKT-001',
    subjectType: 'ticket',
    subjectId: 'TKT-001',
    attempt: 1,
    agent: 'codex',
    model: 'recorded/demo',
    title: 'Parse durations',
    phase: null,
    round: 0,
    ...{ template: null, tools: null, turnsMax: null, tokensMax: null, turns: 0, tokens: 0 },
    ...wanted,
  };
}

/** A recording whose one scene is that of runOf(). */
export function recordingOf(...steps: Step[]): Recording {
  return recordingWith({ match: { subject: 'ticket', title: 'Parse durations' }, steps });
}

export function recordingWith(...scenes: Scene[]): Recording {
  return { name: 'test', pricedAs: 'openai/gpt-5-codex', scenes };
}

export const playing = (...steps: Step[]): Upstream => createRecordedUpstream(recordingOf(...steps));

export interface Asked {
  readonly wire: Wire;
  readonly body: unknown;
  readonly run?: Run;
  readonly operation?: Operation;
  readonly isStream?: boolean;
  readonly signal?: AbortSignal;
}

export function callWith({ wire, body, run = runOf(), operation = 'generate', isStream = false, signal }: Asked): UpstreamCall {
  return {
    wire,
    operation,
    model: 'demo',
    isStream,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: {},
    run,
    signal: signal ?? new AbortController().signal,
  };
}

/** Asks and reads all of the answer. */
export async function ask(upstream: Upstream, asked: Asked) {
  const { status, headers, body } = await upstream.open(callWith(asked));
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return { status, headers, text, json: () => JSON.parse(text) };
}

/** A provider on loopback, spoken to as agents and SDKs do. Whole chunks go out as they come. */
export async function serveUpstream(upstream: Upstream, run = runOf()) {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    bodies.push(body);
    const aborted = new AbortController();
    response.on('close', () => aborted.abort());
    const path = (request.url ?? '').split('?')[0] ?? '';
    const operation = /count_tokens$|:countTokens$/.test(path) ? 'count' : 'generate';
    const isStream = path.includes(':stream') || (JSON.parse(body || '{}') as { stream?: boolean }).stream === true;
    const call = callWith({ wire: wireOf(path), body, run, operation, isStream, signal: aborted.signal });
    const answer = await upstream.open(call);
    response.writeHead(answer.status, answer.headers);
    for await (const chunk of answer.body) response.write(chunk);
    response.end();
  }
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Of all requests, in order. */
    bodies,
    async close() {
      server.closeAllConnections();
      await new Promise(resolve => void server.close(resolve));
    },
  };
}

function wireOf(path: string): Wire {
  if (path.includes('/messages')) return 'anthropic';
  if (path.endsWith('/chat/completions')) return 'chat';
  return path.endsWith('/responses') ? 'responses' : 'gemini';
}
