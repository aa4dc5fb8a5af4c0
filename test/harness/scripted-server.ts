import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { z } from 'zod';
import type { Agent } from '../../contract/projects.ts';
import { claim, claimed, complete, fail, heartbeat, runReport } from '../../contract/runs.ts';
import type { RunLimits } from '../../contract/runs.ts';

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
  /** What is accepted as bearer token; 'secret' at first. */
  accept(token: string): void;
  readonly requests: readonly { readonly method: string; readonly path: string; readonly status: number }[];
  close(): Promise<void>;
}

export interface QueuedTask {
  readonly repository?: string | null;
  readonly agent?: Agent | null;
  readonly limits?: Partial<RunLimits>;
  readonly leaseMs?: number;
  readonly ticketId?: string;
  readonly title?: string;
}

export interface QueuedRun {
  readonly id: string;
  readonly ticketId: string;
  state: 'queued' | 'leased' | 'starting' | 'working' | 'submitted' | 'failed' | 'cancelled' | 'lost';
  readonly log: Buffer;
  readonly bundle: Buffer | undefined;
  readonly result: z.infer<typeof complete>['result'] | undefined;
  readonly failure: { readonly class: string; readonly message: string } | undefined;
  readonly events: readonly { readonly type: string; readonly payload: Record<string, unknown> }[];
  /** Writes that were refused as the lease was not held. */
  readonly refused: readonly string[];
  /** Gives the run to nobody: whoever holds it gets 409 from now on. */
  takeBack(): void;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Held extends Mutable<QueuedRun> {
  task: QueuedTask;
  token: string | undefined;
  fence: number;
  expires: number;
  events: { type: string; payload: Record<string, unknown> }[];
  refused: string[];
}

interface Reply {
  readonly status: number;
  readonly body?: object;
  readonly fault?: string;
}

const limits: RunLimits = {
  timeout_ms: 20_000,
  output_bytes_max: 1_000_000,
  bundle_bytes_max: 10_000_000,
  memory_bytes: 512 * 2 ** 20,
  process_count: 64,
  cpu_count: 2,
  tmp_bytes: 16 * 2 ** 20,
};
const lost: Reply = { status: 409, fault: 'lease_lost', body: { error: 'The lease of this run is lost' } };

export async function startScriptedServer(): Promise<ScriptedServer> {
  const runs = new Map<string, Held>();
  const requests: { method: string; path: string; status: number }[] = [];
  const watchers = new Set<() => void>();
  let token = 'secret';
  let forced: { readonly status: number; readonly path: RegExp } | undefined;
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
    void answer(request, response)
      // The client has hung up in the middle of its body.
      .catch((): Reply => ({ status: 400 }))
      .then(({ status, body, fault }) => {
        requests.push({ method: request.method ?? '', path: request.url ?? '', status });
        if (!response.destroyed) {
          response.writeHead(status, {
            'content-type': 'application/json',
            ...(fault === undefined ? {} : { 'skep-fault': fault }),
          });
          response.end(body === undefined ? undefined : JSON.stringify(body));
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
    const [, id = '', part] = /^\/api\/runs\/([^/]+)\/(\w+)$/.exec(url.pathname) ?? [];
    const call = `${request.method ?? ''} ${part ?? url.pathname}`;
    switch (call) {
      case 'POST /api/claim':
        return onClaim(claim.parse(json(bytes)), response);
      case 'POST /api/heartbeat':
        return onHeartbeat(heartbeat.parse(json(bytes)));
      case 'POST /api/complete':
        return onComplete(complete.parse(json(bytes)));
      case 'POST /api/fail':
        return onFail(fail.parse(json(bytes)));
      case 'POST log':
        return onLog(held(id, lease, call), Number(url.searchParams.get('offset')), bytes);
      case 'PUT bundle':
        return onBundle(held(id, lease, call), bytes);
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

  async function onClaim({ wait_ms, ticket_id }: z.infer<typeof claim>, response: ServerResponse): Promise<Reply> {
    const next = () => [...runs.values()].find(run => run.state === 'queued' && (ticket_id ?? run.ticketId) === run.ticketId);
    const timeout = AbortSignal.timeout(Math.max(1, wait_ms));
    timeout.addEventListener('abort', look);
    response.once('close', look);
    await until(() => next() !== undefined || timeout.aborted || response.destroyed);
    const run = next();
    if (run === undefined || response.destroyed) return { status: 204 };
    run.state = 'leased';
    run.fence += 1;
    run.token = randomUUID();
    run.expires = Date.now() + (run.task.leaseMs ?? 15_000);
    return { status: 200, body: claimed.parse(claimOf(run)) };
  }

  function onHeartbeat({ run_id, token, state }: z.infer<typeof heartbeat>): Reply {
    const run = held(run_id, token, 'heartbeat');
    if (run === undefined) return lost;
    run.state = state ?? run.state;
    run.expires = Date.now() + (run.task.leaseMs ?? 15_000);
    const { run: shown, lease } = claimOf(run);
    return { status: 200, body: { run: shown, lease } };
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

  function onFail({ run_id, token, class: name, message }: z.infer<typeof fail>): Reply {
    const run = held(run_id, token, 'fail');
    if (run === undefined) return lost;
    run.state = 'failed';
    run.failure = { class: name, message };
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
          state: 'queued',
          log: Buffer.alloc(0),
          bundle: undefined,
          result: undefined,
          failure: undefined,
        },
        ...{ token: undefined, fence: 0, expires: 0, events: [], refused: [] },
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
    answerWith(status, path = /^/) {
      forced = status === undefined ? undefined : { status, path };
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

function onLog(run: Held | undefined, offset: number, bytes: Buffer): Reply {
  if (run === undefined) return lost;
  if (offset > run.log.length) return { status: 409, fault: 'log_gap', body: { error: 'gap', size: run.log.length } };
  run.log = Buffer.concat([run.log, bytes.subarray(run.log.length - offset)]);
  return { status: 200, body: { size: run.log.length } };
}

function onBundle(run: Held | undefined, bytes: Buffer): Reply {
  if (run === undefined) return lost;
  if (!/^# v[23] git bundle\n/.test(bytes.subarray(0, 20).toString())) {
    return { status: 422, fault: 'invalid_bundle', body: { error: 'The upload is not a git bundle' } };
  }
  run.bundle = bytes;
  return { status: 200, body: { blob: createHash('sha256').update(bytes).digest('hex'), size: bytes.length } };
}

function claimOf(run: Held) {
  const { task, id, ticketId, fence } = run;
  const at = new Date(0).toISOString();
  const none = '00000000-0000-4000-8000-000000000000';
  const leaseMs = task.leaseMs ?? 15_000;
  const agent = task.agent === undefined ? { kind: 'exec', command: ['./agent.sh'] } : task.agent;
  return {
    run: {
      ...{ id, subject_type: 'ticket', subject_id: ticketId, attempt: 1, state: run.state, worker: 'w', fence },
      ...{ lease_expires_at: at, failure_class: null, failure_message: null, result: null },
      ...{ created_at: at, leased_at: at, started_at: null, ended_at: null },
    },
    subject: { type: 'ticket', id: ticketId },
    ticket: {
      ...{ id: ticketId, tenant_id: none, session_id: null, spec_id: null, project_id: none, type: 'task' },
      ...{ title: task.title ?? 'Add a file', description: 'as you like', acceptance_criteria: ['it is there'] },
      ...{ status: 'claimed', status_reason: null, proof: null, parent_id: null, depends_on: [], priority: 0, estimate: null },
      ...{ assigned_vm: null, branch_name: null, pr_url: null, attempts: 1, created_at: at, updated_at: at },
    },
    lease: { token: run.token ?? '', fence, expires_at: at, lease_ms: leaseMs, heartbeat_ms: Math.floor(leaseMs / 3) },
    project: { id: none, name: 'demo', repository: task.repository ?? null },
    agent,
    limits: { ...limits, ...task.limits },
  };
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
