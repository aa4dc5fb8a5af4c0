import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { blobStored, claimed, heartbeatAnswer, leaseHeader, logAppended, runAnswer } from '../../contract/runs.ts';
import type { Claimed, FailureClass, Halt, RunResult } from '../../contract/runs.ts';
import { faultOfAnswer, faultOfNetwork } from '../client/index.ts';
import type { Client } from '../client/index.ts';
import { Fault } from '../kernel/fault.ts';

/** What names a lease in every call after the claim. */
export interface LeaseKey {
  readonly runId: string;
  readonly token: string;
}

export interface ClaimRequest {
  readonly worker: string;
  readonly capabilities: readonly string[];
  readonly waitMs: number;
  readonly ticketId?: string | undefined;
}

/** How far a run has come, as heartbeats say it. */
export interface Progress {
  readonly state: 'starting' | 'working';
  readonly sandbox?: string;
}

/** Its agent has ended: it is asked after how the last answer of its model did. */
interface Ended {
  readonly state: 'ended';
}

/** The worker protocol, one method per call, without retries. Every one but `claim` may be sent twice. */
export interface Protocol {
  /** Undefined where there was no work within `waitMs`. */
  claim(request: ClaimRequest, signal: AbortSignal): Promise<Claimed | undefined>;
  /** `halt`: why the run cannot go on. */
  heartbeat(
    key: LeaseKey,
    progress: Progress | Ended,
    call: Call,
  ): Promise<{ leaseMs: number; heartbeatMs: number; halt?: Halt | null }>;
  /** Returns how many bytes the server holds. */
  appendLog(key: LeaseKey, chunk: { offset: number; bytes: Uint8Array }, call: Call): Promise<number>;
  /** The same, of events of the transcript: lines of JSON, each whole. */
  appendTranscript(key: LeaseKey, chunk: { offset: number; bytes: Uint8Array }, call: Call): Promise<number>;
  /** Sends all of an open file. Returns the name of the stored blob. */
  putBundle(key: LeaseKey, descriptor: number, call: Call): Promise<string>;
  /** Keeps all of an open file under a name of the run; said twice, the last counts. */
  putArtifact(key: LeaseKey, file: { name: string; descriptor: number }, call: Call): Promise<void>;
  /** What an earlier run has kept as its conversation; undefined where there is none. Throws Fault `too_large` beyond `bytesMax`. */
  conversation(runId: string, bytesMax: number, call: Call): Promise<Uint8Array | undefined>;
  report(key: LeaseKey, event: { type: string; payload: Record<string, unknown> }, call: Call): Promise<void>;
  complete(key: LeaseKey, result: RunResult, call: Call): Promise<void>;
  /** Hands in what there is of a run that stops here until a person has decided. */
  park(key: LeaseKey, result: RunResult, call: Call): Promise<void>;
  /** `result`: what there is of the work all the same. */
  fail(key: LeaseKey, failure: { class: FailureClass; message: string; result?: RunResult }, call: Call): Promise<void>;
}

export interface Call {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

/** A server that holds a claim for `waitMs` needs a little longer to say that there was nothing. */
const claimSlackMs = 10_000;
const uploadTimeoutMs = 600_000;
const downloadTimeoutMs = 60_000;

export function workerProtocol(client: Client): Protocol {
  const post = <T>(path: string, schema: z.ZodType<T>, call: Call & { body: object }): Promise<T> =>
    client.request('POST', path, { schema, ...call });
  const append =
    (part: string, type: string): Protocol['appendLog'] =>
    async ({ runId, token }, { offset, bytes }, call) => {
      const { size } = await client.request('POST', `/api/runs/${runId}/${part}`, {
        query: { offset },
        raw: { type, content: () => bytes },
        headers: { [leaseHeader]: token },
        schema: logAppended,
        ...call,
      });
      return size;
    };
  return {
    claim: ({ worker, capabilities, waitMs, ticketId }, signal) =>
      post('/api/claim', claimed.optional(), {
        body: { worker, capabilities, wait_ms: waitMs, ...(ticketId === undefined ? {} : { ticket_id: ticketId }) },
        timeoutMs: waitMs + claimSlackMs,
        signal,
      }),
    async heartbeat(key, progress, call) {
      const { lease, halt } = await post('/api/heartbeat', heartbeatAnswer, { ...call, body: { ...named(key), ...progress } });
      return { leaseMs: lease.lease_ms, heartbeatMs: lease.heartbeat_ms, halt };
    },
    appendLog: append('log', 'text/plain'),
    appendTranscript: append('transcript', 'application/x-ndjson'),
    async putBundle({ runId, token }, descriptor, call) {
      const { blob } = await client.request('PUT', `/api/runs/${runId}/bundle`, {
        raw: { type: 'application/octet-stream', content: () => contentOf(descriptor) },
        headers: { [leaseHeader]: token },
        schema: blobStored,
        timeoutMs: uploadTimeoutMs,
        ...call,
      });
      return blob;
    },
    async putArtifact({ runId, token }, { name, descriptor }, call) {
      await client.request('PUT', `/api/runs/${runId}/artifacts/${name}`, {
        raw: { type: 'application/octet-stream', content: () => contentOf(descriptor) },
        headers: { [leaseHeader]: token },
        schema: z.unknown(),
        timeoutMs: uploadTimeoutMs,
        ...call,
      });
    },
    conversation: (runId, bytesMax, { signal }) =>
      download(client, { path: `/api/runs/${runId}/conversation`, bytesMax, signal }),
    report: ({ runId, token }, event, call) =>
      post(`/api/runs/${runId}/events`, z.undefined(), { ...call, body: { token, ...event } }),
    async complete(key, result, call) {
      await post('/api/complete', runAnswer, { ...call, body: { ...named(key), result } });
    },
    async park(key, result, call) {
      await post('/api/park', runAnswer, { ...call, body: { ...named(key), result } });
    },
    async fail(key, failure, call) {
      await post('/api/fail', runAnswer, { ...call, body: { ...named(key), ...failure } });
    },
  };
}

interface Download {
  readonly path: string;
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

/** Bytes as they are, which the client's answers are not. */
async function download(client: Client, { path, bytesMax, signal }: Download): Promise<Uint8Array | undefined> {
  const { server, headers } = await client.access();
  const timeout = AbortSignal.timeout(downloadTimeoutMs);
  try {
    const answer = await fetch(`${server}${path}`, { headers, redirect: 'error', signal: AbortSignal.any([signal, timeout]) });
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw faultOfAnswer(answer, await answer.text());
    return await bounded(answer, bytesMax);
  } catch (error) {
    signal.throwIfAborted();
    throw faultOfNetwork(error, { server, timeoutMs: downloadTimeoutMs, timedOut: timeout.aborted });
  }
}

async function bounded(answer: Response, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Fault('too_large', { message: `The answer of the server has more than ${bytesMax} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function named({ runId, token }: LeaseKey): { run_id: string; token: string } {
  return { run_id: runId, token };
}

/** From its beginning, also when it is sent again. */
function contentOf(descriptor: number): ReadableStream<Uint8Array> {
  return Readable.toWeb(createReadStream('', { fd: descriptor, start: 0, autoClose: false })) as ReadableStream<Uint8Array>;
}
