import helmet from '@fastify/helmet';
import fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Listener } from '../db/listen.ts';
import { type Gateway, gatewayRoutes, modelApi } from '../gateway/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import type { ClaimDesk, RunSettings } from '../stages/runs/index.ts';
import { resultRoutes } from '../stages/changes/conclude/routes.ts';
import { repositoryRoutes } from '../stages/changes/repository/routes.ts';
import { changeRoutes } from '../stages/changes/routes.ts';
import { trunkRoutes } from '../stages/changes/trunks/routes.ts';
import type { ReviewParts } from '../stages/reviews/index.ts';
import { reviewRoutes } from '../stages/reviews/routes.ts';
import { progressRoutes } from '../observers/progress/routes.ts';
import { reportRoutes } from '../observers/report-back/routes.ts';
import { topRoutes } from '../observers/top/routes.ts';
import { vmRoutes } from '../observers/vms/routes.ts';
import { decisionRoutes } from '../stages/runs/parking/routes.ts';
import { protocolRoutes } from '../stages/runs/protocol/routes.ts';
import { runRoutes } from '../stages/runs/routes.ts';
import { hitlRoutes } from '../stages/tickets/hitl/routes.ts';
import { ticketRoutes } from '../stages/tickets/routes.ts';
import { tokenRoutes } from '../support/access/routes.ts';
import { budgetRoutes } from '../support/budgets/routes.ts';
import { fleetRoutes } from '../support/fleet/routes.ts';
import { workerRoutes } from '../support/fleet/workers/routes.ts';
import { memoryRoutes } from '../support/memory/routes.ts';
import { questionRoutes } from '../support/questions/routes.ts';
import { templateRoutes } from '../support/templates/routes.ts';
import { projectRoutes } from '../support/projects/routes.ts';
import { guard } from './auth.ts';
import { drainable } from './drain.ts';
import { eventRoutes } from './events.ts';
import { answerFaults } from './faults.ts';
import { acceptJson } from './json.ts';
import { acceptSockets, registerLive } from './live.ts';
import { describeApi } from './openapi.ts';
import type { Api } from './route.ts';
import { compileValidator } from './validate.ts';

export interface AppParts extends ReviewParts {
  readonly listener: Listener;
  readonly desk: ClaimDesk;
  readonly gateway: Gateway;
  readonly settings: RunSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** Throws when a request could not be served now. */
  readonly checkReady: () => Promise<void>;
}

/** The largest JSON body: a spec card of 2,000 features with room. */
const jsonBytesMax = 16 * 1_048_576;
/** A connection on which nothing moves for so long is cut. There is no limit on a whole request: a large bundle may come slowly. */
const stillnessMs = 120_000;

export async function createApp(parts: AppParts): Promise<FastifyInstance> {
  const refuse = answerFaults(parts.log);
  const app = fastify({
    logger: false,
    // What the router itself cannot read, such as %zz in an address.
    frameworkErrors: refuse,
    bodyLimit: jsonBytesMax,
    requestTimeout: 0,
    connectionTimeout: stillnessMs,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 200 },
    return503OnClosing: true,
  });
  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(refuse);
  app.setNotFoundHandler(request => {
    throw new Fault('route_not_found', {
      message: `No such route: ${request.method} ${request.url.split('?')[0]}`,
      hint: 'The routes are listed in /openapi.json',
    });
  });
  acceptJson(app, jsonBytesMax);
  acceptBytes(app);
  drainable(app, parts.clock);
  await app.register(helmet, { contentSecurityPolicy: { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } } });
  await acceptSockets(app);
  guard(app, parts.database);
  await describeApi(app, parts.version);
  registerLive(app, parts);
  healthRoutes(app, parts.checkReady);
  reportRoutes(app.withTypeProvider<ZodTypeProvider>(), parts);
  gatewayRoutes(app, parts);
  for (const prefix of ['/api', '/api/v1']) {
    await app.register(async scope => registerApi(scope.withTypeProvider<ZodTypeProvider>(), parts), { prefix });
  }
  return app;
}

function registerApi(api: Api, parts: AppParts): void {
  projectRoutes(api, parts.database);
  templateRoutes(api, parts);
  tokenRoutes(api, parts.database);
  budgetRoutes(api, parts.database);
  hitlRoutes(api, parts.database);
  progressRoutes(api, parts.database);
  topRoutes(api, parts.database);
  vmRoutes(api, parts.database);
  ticketRoutes(api, parts.database);
  runRoutes(api, parts);
  reviewRoutes(api, parts.database);
  changeRoutes(api, parts);
  trunkRoutes(api, parts);
  repositoryRoutes(api, parts);
  resultRoutes(api, parts.database);
  questionRoutes(api, parts.database);
  fleetRoutes(api, parts.database);
  workerRoutes(api, parts.database);
  modelApi(api, parts.gateway);
  decisionRoutes(api, parts);
  memoryRoutes(api, parts.database);
  protocolRoutes(api, parts);
  eventRoutes(api, parts.database);
}

function healthRoutes(app: FastifyInstance, checkReady: () => Promise<void>): void {
  const api = app.withTypeProvider<ZodTypeProvider>();
  const config = { need: 'nothing' } as const;
  /** The process answers. */
  api.get('/health', { config, schema: { response: { 200: z.object({ status: z.literal('ok') }) } } }, async () => ({
    status: 'ok' as const,
  }));
  /** It can do its work, and goes on doing it: the database answers, and nobody has told the server to end. */
  api.get('/ready', { config, schema: { response: { 200: z.object({ status: z.literal('ready') }) } } }, async () => {
    if (app.drain.hasBegun) throw new Fault('shutting_down');
    await checkReady();
    return { status: 'ready' as const };
  });
}

/** Log chunks are read whole (their route has a small limit); bundles are handed on as a stream. */
function acceptBytes(app: FastifyInstance): void {
  app.addContentTypeParser('text/plain', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
}
