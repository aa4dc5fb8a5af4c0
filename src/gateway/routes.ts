import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import type { RunContext } from '../stages/runs/index.ts';
import { clientOf } from './client.ts';
import type { Gateway } from './gateway.ts';
import { createIntake } from './intake.ts';
import { listAsAnthropic, listAsGemini, listAsOpenAi } from './listing.ts';
import { passedHeaders, readBody, tokenOf } from './request.ts';
import { problemOfError } from './refusals.ts';
import type { Operation, Wire } from './upstream.ts';
import { formats } from './wires/index.ts';

interface RouteParts {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly log: Log;
}

/** A prompt of a million tokens with images; 100 MB is nobody's. */
const bodyBytesMax = 32 * 1_048_576;

/** Each route is guarded here, by the run token alone: tokens of the API are worth nothing under /gateway. */
const config = { need: 'nothing' } as const;
const schema = { hide: true } as const;

/** What sandboxes reach: the models, in the wires that agents speak. */
export function gatewayRoutes(app: FastifyInstance, parts: RouteParts): void {
  // The first thing that some agents ask of a base URL; says nothing of anybody.
  app.get('/gateway', { config, schema }, async () => ({}));
  app.register(
    async scope => {
      const runs = new WeakMap<FastifyRequest, RunContext>();
      acceptAnything(scope);
      scope.setErrorHandler((error, request, reply) => refuse(parts, { error, request, reply }));
      const intake = createIntake();
      scope.addHook('onRequest', async (request, reply) => {
        const run = await parts.gateway.identify(tokenOf(request.headers));
        runs.set(request, run);
        whenOver(reply.raw, intake.enter(run.runId, bytesOf(request)));
      });
      const runOf = (request: FastifyRequest): RunContext => {
        const run = runs.get(request);
        if (run === undefined) throw new Error('a call of a model without its run');
        return run;
      };
      modelRoutes(scope, parts, runOf);
      listRoutes(scope, parts.gateway);
      scope.route({ method: ['GET', 'POST'], url: '/*', config, schema, handler: refuseRoute });
    },
    { prefix: '/gateway' },
  );
}

/** What its body may come to; who does not say how long it is may send the longest. */
function bytesOf({ headers }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return bodyBytesMax;
  return Math.min(Number(headers['content-length'] ?? 0), bodyBytesMax);
}

/** A response whose turn on its connection has not come is not told that the connection is gone. */
function whenOver(response: ServerResponse, then: () => void): void {
  const { socket } = response.req;
  const over = (): void => {
    response.off('close', over);
    socket.off('close', over);
    then();
  };
  response.once('close', over);
  socket.once('close', over);
  if (response.closed || socket.destroyed) over();
}

type RunOf = (request: FastifyRequest) => RunContext;

function modelRoutes(scope: FastifyInstance, parts: RouteParts, runOf: RunOf): void {
  const ask = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { wire, operation, inPath }: Asking,
  ): Promise<FastifyReply> => {
    const body = readBody(request.body);
    const fields = formats[wire].readRequest(body);
    const model = inPath?.model ?? fields.model;
    if (model === undefined || !modelName.test(model)) {
      throw new Fault('invalid_request', {
        message: 'model: the name of a model is missing, or is none',
        hint: 'Such as "anthropic/claude-sonnet-5" or an alias',
      });
    }
    const isStream = operation === 'generate' && (inPath?.isStream ?? fields.isStream);
    const headers = passedHeaders(request.headers);
    const { client, gone } = clientOf(reply.raw, parts.clock);
    const asked = { run: runOf(request), wire, operation, body, model, isStream, headers };
    await parts.gateway.answer(asked, { client: { ...client, ...hijacking(reply, client) }, gone });
    return reply;
  };
  const simple: readonly [url: string, wire: Wire, operation: Operation][] = [
    ['/v1/messages', 'anthropic', 'generate'],
    ['/v1/messages/count_tokens', 'anthropic', 'count'],
    ['/v1/chat/completions', 'chat', 'generate'],
    ['/v1/responses', 'responses', 'generate'],
  ];
  for (const [url, wire, operation] of simple) {
    scope.post(url, { config, schema }, (request, reply) => ask(request, reply, { wire, operation }));
  }
  // A name with a slash is taken by Google's library of the AI SDK for the whole path of a model: gemini/NAME instead of models/gemini/NAME.
  scope.post<{ Params: { '*': string } }>('/v1beta/*', { config, schema }, async (request, reply) => {
    const [, model, verb = ''] = /^(?:models\/)?(.+):(\w+)$/.exec(request.params['*']) ?? [];
    if (model === undefined || !geminiVerbs.has(verb)) return refuseRoute(request);
    const isStream = verb === 'streamGenerateContent';
    if (isStream && (request.query as Record<string, unknown>)['alt'] !== 'sse') {
      throw new Fault('invalid_request', { message: 'A stream is given as server-sent events only', hint: 'Ask with ?alt=sse' });
    }
    const operation = verb === 'countTokens' ? 'count' : 'generate';
    return ask(request, reply, { wire: 'gemini', operation, inPath: { model, isStream } });
  });
}

interface Asking {
  readonly wire: Wire;
  readonly operation: Operation;
  readonly inPath?: { readonly model: string; readonly isStream: boolean };
}

const geminiVerbs: ReadonlySet<string> = new Set(['generateContent', 'streamGenerateContent', 'countTokens']);
const modelName = /^[\x21-\x7e]{1,200}$/;

/** The framework answers until something else has: only then is the reply taken from it. */
function hijacking(
  reply: FastifyReply,
  client: ReturnType<typeof clientOf>['client'],
): Pick<typeof client, 'answer' | 'begin' | 'cut'> {
  return {
    answer(...answer) {
      reply.hijack();
      client.answer(...answer);
    },
    begin(headers) {
      reply.hijack();
      client.begin(headers);
    },
    cut() {
      reply.hijack();
      client.cut();
    },
  };
}

function listRoutes(scope: FastifyInstance, gateway: Gateway): void {
  scope.get('/v1/models', { config, schema }, async request =>
    request.headers['anthropic-version'] === undefined
      ? listAsOpenAi([...new Set([...gateway.models('responses'), ...gateway.models('chat')])])
      : listAsAnthropic(gateway.models('anthropic')),
  );
  scope.get('/v1beta/models', { config, schema }, async () => listAsGemini(gateway.models('gemini')));
}

async function refuseRoute(request: FastifyRequest): Promise<never> {
  throw new Fault('route_not_found', {
    message: `The gateway has no ${request.method} ${request.url.split('?')[0]}`,
    hint: 'It has /v1/messages, /v1/chat/completions, /v1/responses and /v1beta/models/MODEL:generateContent',
  });
}

/** Whatever content type a client says: it is JSON, or it is refused. */
function acceptAnything(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodyBytesMax }, (_request, body, done) => done(null, body));
}

function refuse(
  { log }: RouteParts,
  { error, request, reply }: { error: unknown; request: FastifyRequest; reply: FastifyReply },
): void {
  const { problem, headers } = problemOfError(error);
  if (problem.status >= 500)
    log.error({ route: request.routeOptions.url, error: String(error) }, 'a request to the gateway failed');
  void reply
    .code(problem.status)
    .headers({ ...headers, 'content-type': 'application/json; charset=utf-8' })
    .serializer(JSON.stringify)
    .send(formats[wireOf(request)].errorBody(problem));
}

/** In whose words a refusal is said. */
function wireOf(request: FastifyRequest): Wire {
  const url = request.routeOptions.url ?? '';
  if (url.includes('/v1beta/')) return 'gemini';
  if (url.includes('/messages') || request.headers['anthropic-version'] !== undefined) return 'anthropic';
  return url.endsWith('/responses') ? 'responses' : 'chat';
}
