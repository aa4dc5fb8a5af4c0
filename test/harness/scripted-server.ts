import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { z } from 'zod';
import { claim, claimed, complete, fail, heartbeat, park, runReport } from '../../contract/runs.ts';
import type { Halt } from '../../contract/runs.ts';
import { answerGit } from './git-http.ts';
import type { GitRequest } from './git-http.ts';
import { claimOf } from './scripted-claim.ts';
import type { QueuedTask } from './scripted-claim.ts';
import { git, makeRepository } from './worker.ts';

export type { QueuedTask };

/**
 * The worker protocol in memory, as contract/ says it, for tests of the worker alone: it can go away, be slow and take leases
 * back when a test says so. It keeps its own record of what it accepted.
 */
export interface ScriptedServer {
  readonly url: string;
  /** Puts a run into the queue. */
  queue(task?: QueuedTask): QueuedRun;
  /** Resolves when `see` is true; it is asked after each request. */
  until(see: () => boolean): Promise<void>;
  /** The server's port refuses connections until `comeBack`. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** Answers all, or what is asked at `path`, with this status, as a proxy or a broken server does; undefined ends it. */
  answerWith(status: number | undefined, path?: RegExp): void;
  /** Breaks the connection off after so many bytes of the next answer to what is asked at `path`. */
  breakOff(path: RegExp, bytes: number): void;
  /** Who answers what is asked below /gateway; 404 at first. */
  onGateway(listener: RequestListener): void;
  /** What is accepted as bearer token; 'secret' at first. */
  accept(token: string): void;
  readonly requests: readonly Heard[];
  close(): Promise<void>;
}

interface Heard {
  readonly method: string;
  readonly path: string;
  /** Of the answer; 0 where the connection was broken off. */
  readonly status: number;
}

export interface QueuedRun {
  readonly id: string;
  readonly ticketId: string;
  /** What the worker that claimed it offers. */
  readonly capabilities: readonly string[];
  state: 'queued' | 'leased' | 'starting' | 'working' | 'submitted' | 'parked' | 'failed' | 'cancelled' | 'lost';
  readonly log: Buffer;
  /** What its agent told, as lines of JSON. */
  readonly transcript: Buffer;
  readonly bundle: Buffer | undefined;
  /** What was kept of it, by name. */
  readonly artifacts: ReadonlyMap<string, Buffer>;
  readonly result: z.infer<typeof complete>['result'] | undefined;
  readonly failure: { readonly class: string; readonly message: string } | undefined;
  readonly events: readonly { readonly type: string; readonly payload: Record<string, unknown> }[];
  /** Writes that were refused as the lease was not held. */
  readonly refused: readonly string[];
  /** Something stands in the way of the run: its holder hears it with the next heartbeat. */
  halt(halt: Halt): void;
  /** Gives the run to nobody: whoever holds it gets 409 from now on. */
  takeBack(): void;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Held extends Mutable<QueuedRun> {
  task: QueuedTask;
  repository: string;
  commit: string;
  token: string | undefined;
  halted: Halt | null;
  fence: number;
  expires: number;
  artifacts: Map<string, Buffer>;
  events: { type: string; payload: Record<string, unknown> }[];
  refused: string[];
}

interface Reply {
  readonly status: number;
  /** Sent as it is, instead of JSON. */
  readonly raw?: { readonly type: string; readonly bytes: Buffer };
  readonly body?: object;
  readonly fault?: string;
}

const lost: Reply = { status: 409, fault: 'lease_lost', body: { error: 'The lease of this run is lost' } };

export async function startScriptedServer(): Promise<ScriptedServer> {
  const runs = new Map<string, Held>();
  const requests: Heard[] = [];
  const watchers = new Set<() => void>();
  let token = 'secret';
  let forced: { readonly status: number; readonly path: RegExp } | undefined;
  let breaking: { readonly path: RegExp; readonly bytes: number } | undefined;
  let gateway: RequestListener = (_request, response) => response.writeHead(404).end();
  let server = createServer(handle);
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;

  function look(): void {
    for (const watcher of watchers) watcher();
  }

  function until(see: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const watcher = (): void => {
        if (!see()) return;
        watchers.delete(watcher);
        resolve();
      };
      watchers.add(watcher);
      watcher();
    });
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    if (/^\/gateway(?:[/?]|$)/.test(request.url ?? '')) {
      gateway(request, response);
      return;
    }
    void answer(request, response)
      // The client has hung up in the middle of its body.
      .catch((): Reply => ({ status: 400 }))
      .then(({ status, body, raw, fault }) => {
        const isBroken = breaking?.path.test(request.url ?? '') === true;
        requests.push({ method: request.method ?? '', path: request.url ?? '', status: isBroken ? 0 : status });
        if (!response.destroyed) {
          response.writeHead(status, {
            'content-type': raw?.type ?? 'application/json',
            ...(fault === undefined ? {} : { 'skep-fault': fault }),
          });
          const content = raw?.bytes ?? (body === undefined ? undefined : JSON.stringify(body));
          if (isBroken) response.write(content?.slice(0, breaking?.bytes) ?? '', () => response.destroy());
          else response.end(content);
          if (isBroken) breaking = undefined;
        }
        look();
      });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<Reply> {
    const bytes = await bodyOf(request);
    if (forced?.path.test(request.url ?? '')) return { status: forced.status };
    if (request.headers.authorization !== `Bearer ${token}`) {
      return { status: 401, fault: 'unauthenticated', body: { error: 'Authentication required' } };
    }
    const url = new URL(request.url ?? '/', 'http://x');
    const lease = request.headers['skep-lease'];
    const [, served] = /^\/api\/runs\/([^/]+)\/repository\//.exec(url.pathname) ?? [];
    if (served !== undefined) return onRepository(held(served, lease, 'repository'), { headers: request.headers, url, bytes });
    const [, keeping, name = ''] = /^\/api\/runs\/([^/]+)\/artifacts\/([^/]+)$/.exec(url.pathname) ?? [];
    if (keeping !== undefined) return onArtifact(held(keeping, lease, 'artifact'), name, bytes);
    const [, id = '', part] = /^\/api\/runs\/([^/]+)\/(\w+)$/.exec(url.pathname) ?? [];
    const call = `${request.method ?? ''} ${part ?? url.pathname}`;
    switch (call) {
      case 'POST /api/claim':
        return onClaim(claim.parse(json(bytes)), response);
      case 'POST /api/heartbeat':
        return onHeartbeat(heartbeat.parse(json(bytes)));
      case 'POST /api/complete':
        return onComplete(complete.parse(json(bytes)));
      case 'POST /api/park':
        return onPark(park.parse(json(bytes)));
      case 'POST /api/fail':
        return onFail(fail.parse(json(bytes)));
      case 'POST log':
        return onChunk(held(id, lease, call), 'log', { offset: Number(url.searchParams.get('offset')), bytes });
      case 'POST transcript':
        return onChunk(held(id, lease, call), 'transcript', { offset: Number(url.searchParams.get('offset')), bytes });
      case 'PUT bundle':
        return onBundle(held(id, lease, call), bytes);
      case 'GET conversation': {
        const kept = runs.get(id)?.artifacts.get('conversation');
        if (kept === undefined) return { status: 404, fault: 'run_not_found', body: { error: 'No such conversation' } };
        return { status: 200, raw: { type: 'application/octet-stream', bytes: kept } };
      }
      case 'POST events': {
        const { token, type, payload } = runReport.parse(json(bytes));
        const run = held(id, token, call);
        run?.events.push({ type, payload });
        return run === undefined ? lost : { status: 204 };
      }
      default:
        return { status: 404, fault: 'route_not_found', body: { error: 'No such route' } };
    }
  }

  function held(id: string, token: unknown, call: string): Held | undefined {
    const run = runs.get(id);
    if (run === undefined) return undefined;
    if (run.token === token && Date.now() < run.expires && ['leased', 'starting', 'working'].includes(run.state)) return run;
    run.refused.push(call);
    return undefined;
  }

  async function onClaim({ wait_ms, ticket_id, capabilities }: z.infer<typeof claim>, response: ServerResponse): Promise<Reply> {
    const next = () => [...runs.values()].find(run => run.state === 'queued' && (ticket_id ?? run.ticketId) === run.ticketId);
    const timeout = AbortSignal.timeout(Math.max(1, wait_ms));
    timeout.addEventListener('abort', look);
    response.once('close', look);
    await until(() => next() !== undefined || timeout.aborted || response.destroyed);
    const run = next();
    if (run === undefined || response.destroyed) return { status: 204 };
    run.state = 'leased';
    run.capabilities = capabilities;
    run.fence += 1;
    run.token = randomUUID();
    run.expires = Date.now() + (run.task.leaseMs ?? 15_000);
    return { status: 200, body: claimed.parse(claimOf(run)) };
  }

  function onHeartbeat({ run_id, token, state }: z.infer<typeof heartbeat>): Reply {
    const run = held(run_id, token, 'heartbeat');
    if (run === undefined) return lost;
    if (state !== 'ended') run.state = state ?? run.state;
    run.expires = Date.now() + (run.task.leaseMs ?? 15_000);
    const { run: shown, lease } = claimOf(run);
    // That a turn was not finished is known once it is over.
    const isKnown = run.halted?.kind !== 'unfinished' || state === 'ended';
    return { status: 200, body: { run: shown, lease, halt: isKnown ? run.halted : null } };
  }

  function onComplete({ run_id, token, result }: z.infer<typeof complete>): Reply {
    const run = runs.get(run_id);
    const isRepeated = run?.state === 'submitted' && run.token === token;
    if (!isRepeated && held(run_id, token, 'complete') === undefined) return lost;
    if (run === undefined) return lost;
    run.state = 'submitted';
    run.result = result;
    return { status: 200, body: { run: claimOf(run).run } };
  }

  function onPark({ run_id, token, result }: z.infer<typeof park>): Reply {
    const run = held(run_id, token, 'park');
    if (run === undefined) return lost;
    run.state = 'parked';
    run.result = result;
    return { status: 200, body: { run: claimOf(run).run } };
  }

  function onFail({ run_id, token, class: name, message, result }: z.infer<typeof fail>): Reply {
    const run = held(run_id, token, 'fail');
    if (run === undefined) return lost;
    run.state = 'failed';
    run.failure = { class: name, message };
    run.result = result;
    return { status: 200, body: { run: claimOf(run).run } };
  }

  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    until,
    queue(task = {}) {
      const id = randomUUID();
      const ticketId = task.ticketId ?? `TKT-${String(runs.size + 1).padStart(3, '0')}`;
      const run: Held = {
        ...{
          id,
          ticketId,
          task,
          ...servedBy(task),
          state: 'queued',
          capabilities: [],
          log: Buffer.alloc(0),
          transcript: Buffer.alloc(0),
          bundle: undefined,
          result: undefined,
          failure: undefined,
        },
        ...{ token: undefined, halted: null, fence: 0, expires: 0, events: [], refused: [], artifacts: new Map() },
        halt(halt) {
          run.halted = halt;
        },
        takeBack() {
          run.token = undefined;
          run.state = 'lost';
        },
      };
      runs.set(id, run);
      look();
      return run;
    },
    async goAway() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    async comeBack() {
      server = createServer(handle);
      await listen(server, port);
    },
    breakOff(path, bytes) {
      breaking = { path, bytes };
    },
    answerWith(status, path = /^/) {
      forced = status === undefined ? undefined : { status, path };
    },
    onGateway(listener) {
      gateway = listener;
    },
    accept(next) {
      token = next;
    },
    async close() {
      server.closeAllConnections();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

function onChunk(
  run: Held | undefined,
  stream: 'log' | 'transcript',
  { offset, bytes }: { readonly offset: number; readonly bytes: Buffer },
): Reply {
  if (run === undefined) return lost;
  const size = run[stream].length;
  if (offset > size) return { status: 409, fault: 'log_gap', body: { error: 'gap', size } };
  run[stream] = Buffer.concat([run[stream], bytes.subarray(size - offset)]);
  return { status: 200, body: { size: run[stream].length } };
}

function onBundle(run: Held | undefined, bytes: Buffer): Reply {
  if (run === undefined) return lost;
  if (!/^# v[23] git bundle\n/.test(bytes.subarray(0, 20).toString())) {
    return { status: 422, fault: 'invalid_bundle', body: { error: 'The upload is not a git bundle' } };
  }
  run.bundle = bytes;
  return { status: 200, body: { blob: createHash('sha256').update(bytes).digest('hex'), size: bytes.length } };
}

function onArtifact(run: Held | undefined, name: string, bytes: Buffer): Reply {
  if (run === undefined) return lost;
  run.artifacts.set(name, bytes);
  return { status: 200, body: { blob: createHash('sha256').update(bytes).digest('hex'), size: bytes.length } };
}

function onRepository(run: Held | undefined, asked: GitRequest): Reply {
  if (run === undefined) return lost;
  if (!existsSync(run.repository)) return { status: 404, fault: 'run_not_found', body: { error: 'The run has no repository' } };
  return { status: 200, raw: answerGit(run.repository, asked) };
}

/** What a run starts from. */
function servedBy({ repository, commit }: QueuedTask): { repository: string; commit: string } {
  const at = repository ?? emptyRepository();
  if (commit !== undefined || !existsSync(at)) return { repository: at, commit: commit ?? '0'.repeat(40) };
  return { repository: at, commit: git(at, 'rev-parse', 'HEAD') };
}

let empty: string | undefined;
function emptyRepository(): string {
  return (empty ??= makeRepository({}));
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function json(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString('utf8'));
}
