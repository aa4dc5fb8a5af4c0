import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { toWire } from '../../../../contract/case.ts';
import {
  blobStored,
  claim,
  type Claimed,
  claimed,
  complete,
  fail,
  heartbeat,
  heartbeatAnswer,
  leaseHeader,
  logAppend,
  logAppended,
  logChunkBytesMax,
  park,
  runAnswer,
  type RunLimits,
  runReport,
} from '../../../../contract/runs.ts';
import type { SandboxLimit, TemplateLimits } from '../../../../contract/templates/document.ts';
import type { Database } from '../../../db/database.ts';
import { type Api, byId, callerOf } from '../../../http/route.ts';
import { failpoint } from '../../../kernel/failpoint.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Caller } from '../../../support/access/index.ts';
import { getProject } from '../../../support/projects/index.ts';
import { getVersion } from '../../../support/templates/index.ts';
import { getTicket, wireTicket } from '../../tickets/index.ts';
import { artifactRoutes } from '../artifacts/routes.ts';
import type { BlobStore } from '../blobs.ts';
import type { ClaimedRun } from '../queue/claim.ts';
import type { ClaimDesk } from '../queue/desk.ts';
import type { HolderScope } from '../holder.ts';
import { unfinished } from '../recovery/classed.ts';
import { reportRun } from '../report.ts';
import type { RunRow } from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';
import { appendLog, storeBundle } from '../uploads.ts';
import { failRun, parkRun, renew, returnClaim } from '../verbs.ts';
import { remainsRoutes } from '../remains/routes.ts';
import { transcriptRoutes } from '../transcript/routes.ts';
import { wireRun } from '../wire.ts';
import { advance } from './advance.ts';
import { createSubmit } from './submit.ts';
import { keepTask, taskOf } from './task.ts';

interface ProtocolParts {
  readonly database: Database;
  readonly desk: ClaimDesk;
  readonly blobs: BlobStore;
  readonly settings: RunSettings;
  readonly clock: Clock;
}

const config = { need: 'work' } as const;

/** The worker protocol (docs/guides/worker-protocol.md): plain HTTP, every write after the claim with the lease token. */
export function protocolRoutes(app: Api, parts: ProtocolParts): void {
  claimRoute(app, parts);
  leaseRoutes(app, parts);
  uploadRoutes(app, parts);
  transcriptRoutes(app, parts);
  artifactRoutes(app, parts);
  remainsRoutes(app, parts);
}

/** An event is a note for people; what is large belongs in the log. */
const reportBytesMax = 65_536;

function claimRoute(app: Api, { database, desk, settings }: ProtocolParts): void {
  app.post('/claim', { config, schema: { body: claim, response: { 200: claimed, 204: z.null() } } }, async (request, reply) => {
    const { worker, capabilities, wait_ms, ticket_id } = request.body;
    const caller = callerOf(request);
    const gone = new AbortController();
    // The answer's end, not the connection's: a kept connection serves many claims.
    reply.raw.once('close', () => gone.abort(new Fault('server_unavailable', { message: 'Whoever asked is gone' })));
    const got = await desk.claim({ ...caller, worker, capabilities, ticketId: ticket_id }, wait_ms, gone.signal);
    if (got === undefined) return reply.code(204).send(null);
    failpoint('claim-committed');
    const answer = await handOver({ database, settings }, { caller, got, gone: gone.signal });
    failpoint('claim-described');
    return reply.code(200).send(answer);
  });
}

function leaseRoutes(app: Api, { database, settings, clock }: ProtocolParts): void {
  const submit = createSubmit(database, clock);
  app.post('/heartbeat', { config, schema: { body: heartbeat, response: { 200: heartbeatAnswer } } }, async request => {
    const { state, sandbox } = request.body;
    const scope = scopeOf(callerOf(request), request.body.run_id, request.body.token);
    const row =
      state === undefined || state === 'ended'
        ? await renew(database, scope, settings)
        : await advance(database, scope, { state, sandbox, leaseMs: settings.leaseMs });
    const halt = row.halt ?? (state === 'ended' ? await database.engine(scope, tx => unfinished(tx, row)) : undefined);
    return { run: wireRun(row), lease: leaseOf(row, settings), halt: halt === undefined ? null : toWire(halt) };
  });

  app.post('/complete', { config, schema: { body: complete, response: { 200: runAnswer } } }, async request => {
    const scope = scopeOf(callerOf(request), request.body.run_id, request.body.token);
    const run = await submit(scope, request.body.result);
    failpoint('complete-committed');
    return { run: wireRun(run) };
  });

  app.post('/park', { config, schema: { body: park, response: { 200: runAnswer } } }, async request => {
    const scope = scopeOf(callerOf(request), request.body.run_id, request.body.token);
    const run = await database.engine(scope, tx => parkRun(tx, scope.holder, request.body.result));
    failpoint('park-committed');
    return { run: wireRun(run) };
  });

  app.post('/fail', { config, schema: { body: fail, response: { 200: runAnswer } } }, async request => {
    const { run_id, token, message, result } = request.body;
    const scope = scopeOf(callerOf(request), run_id, token);
    const ended = { failureClass: request.body.class, message, result, settings };
    const run = await database.engine(scope, tx => failRun(tx, scope.holder, ended));
    failpoint('fail-committed');
    return { run: wireRun(run) };
  });

  app.post(
    '/runs/:id/events',
    { config, bodyLimit: reportBytesMax, schema: { params: byId, body: runReport, response: { 204: z.null() } } },
    async (request, reply) => {
      const { token, type, payload } = request.body;
      await reportRun(database, scopeOf(callerOf(request), request.params.id, token), { type, payload });
      return reply.code(204).send(null);
    },
  );
}

function uploadRoutes(app: Api, { database, blobs, settings }: ProtocolParts): void {
  const lease = z.looseObject({ [leaseHeader]: z.string().min(1, 'the lease token of the claim').max(200) });
  const logSchema = { params: byId, querystring: logAppend, headers: lease, response: { 200: logAppended } };
  app.post(
    '/runs/:id/log',
    { config: { ...config, takes: 'text/plain' }, bodyLimit: logChunkBytesMax, schema: logSchema },
    async request => {
      const scope = scopeOf(callerOf(request), request.params.id, request.headers[leaseHeader]);
      if (!Buffer.isBuffer(request.body)) throw new Fault('unsupported_media_type', { hint: 'Send the bytes as text/plain' });
      const chunk = { offset: request.query.offset, bytes: request.body, sizeMax: settings.limits.output_bytes_max };
      const size = await appendLog(database, scope, chunk);
      failpoint('log-appended');
      return { size };
    },
  );

  const bundleSchema = { params: byId, headers: lease, response: { 200: blobStored } };
  const bytesMax = settings.limits.bundle_bytes_max;
  app.put(
    '/runs/:id/bundle',
    { config: { ...config, takes: 'application/octet-stream' }, bodyLimit: bytesMax, schema: bundleSchema },
    async request => {
      const scope = scopeOf(callerOf(request), request.params.id, request.headers[leaseHeader]);
      if (!isStream(request.body))
        throw new Fault('unsupported_media_type', { hint: 'Send the bundle as application/octet-stream' });
      const stored = await storeBundle({ database, blobs }, scope, { source: request.body, bytesMax });
      return { blob: stored.sha256, size: stored.size };
    },
  );
}

/** The answer to a claim; where it cannot be made or nobody is there to take it, the run goes back to the queue. */
async function handOver(
  parts: Pick<ProtocolParts, 'database' | 'settings'>,
  { caller, got, gone }: { caller: Caller; got: ClaimedRun; gone: AbortSignal },
): Promise<Claimed> {
  try {
    gone.throwIfAborted();
    return await describe(parts, caller, got);
  } catch (error) {
    await parts.database.engine(caller, tx => returnClaim(tx, { runId: got.run.id, token: got.token }, parts.settings));
    throw error;
  }
}

async function describe(
  { database, settings }: Pick<ProtocolParts, 'database' | 'settings'>,
  caller: Caller,
  got: ClaimedRun,
): Promise<Claimed> {
  const { token, runToken } = got;
  return database.engine(caller, async tx => {
    const ticket = got.run.ticketId === null ? null : await getTicket(tx, got.run.ticketId);
    const run = await keepTask(tx, got, ticket);
    const { projectId, task } = await taskOf(tx, run);
    const project = await getProject(tx, projectId);
    const template = run.template === null ? null : await getVersion(tx, run.template);
    return {
      run: wireRun(run),
      subject: { type: run.subjectType, id: run.subjectId },
      ticket: ticket === null ? null : wireTicket(ticket),
      lease: { token, ...leaseOf(run, settings) },
      project: { id: project.id, name: project.name, repository: project.repository, isolation: project.isolation },
      agent: template?.agent ?? project.agent,
      template: template === null ? null : { id: template.id, prompt: template.prompt, tools: template.tools },
      network: project.network,
      setup: project.setup,
      limits: limitsOf(run, settings, template?.limits),
      task,
      gateway: { token: runToken },
    };
  });
}

/** What the server allows; a template can only have less. */
function limitsOf(run: RunRow, { limits, reviewTimeoutMs }: RunSettings, own: TemplateLimits = {}): RunLimits {
  if (run.subjectType === 'review') return { ...limits, timeout_ms: reviewTimeoutMs };
  const least = (name: SandboxLimit) => Math.min(limits[name], own[name] ?? Infinity);
  return {
    ...limits,
    output_bytes_max: least('output_bytes_max'),
    memory_bytes: least('memory_bytes'),
    process_count: least('process_count'),
    cpu_count: least('cpu_count'),
    tmp_bytes: least('tmp_bytes'),
    workspace_bytes: least('workspace_bytes'),
  };
}

function leaseOf(run: RunRow, { leaseMs, heartbeatMs }: RunSettings): Omit<Claimed['lease'], 'token'> {
  const { fence, leaseExpiresAt } = run;
  if (fence === null || leaseExpiresAt === null) throw new Error(`run ${run.id} is held without a lease`);
  return { ...toWire({ fence, expiresAt: leaseExpiresAt }), lease_ms: leaseMs, heartbeat_ms: heartbeatMs };
}

function scopeOf(caller: Caller, runId: string, token: string): HolderScope {
  return { ...caller, holder: { runId, token } };
}

function isStream(body: unknown): body is IncomingMessage {
  return typeof body === 'object' && body !== null && 'pipe' in body;
}
