import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type ReportAnswer, type ReportTool, reportToolNames, reportTools } from '../../../contract/talk/report-back.ts';
import type { Api } from '../../http/route.ts';
import { Fault, isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import { type RunContext, runOfToken } from '../../stages/runs/index.ts';
import type { AskParts, Waiting } from './ask.ts';
import { answerMcp, serverFailed } from './mcp.ts';
import { callTool, hasTool } from './tools.ts';

export interface ReportParts extends Omit<AskParts, 'waits'> {
  readonly log: Log;
  readonly version: string;
}

const config = { need: 'nothing' } as const;
/** The longest arguments of any tool, with room. */
const bodyLimit = 1_048_576;

/**
 * What the agent of a run asks and says while it works: over MCP, and as plain JSON for `skep-report`. Both are opened by the run
 * token alone, which is looked at before a body is read, and is worth nothing once the lease is over.
 */
export function reportRoutes(app: Api, given: ReportParts): void {
  const parts = { ...given, waits: new Map<string, number>() };
  const identified = new WeakMap<FastifyRequest, Identified>();
  const onRequest = async (request: FastifyRequest): Promise<void> => {
    identified.set(request, await identify(request, parts));
  };
  const callerOf = (request: FastifyRequest): Identified => {
    const found = identified.get(request);
    if (found === undefined) throw new Error('a report came from nobody');
    return found;
  };

  app.post(
    '/gateway/mcp',
    { config, bodyLimit, onRequest, schema: { hide: true, body: z.unknown() } },
    async (request, reply): Promise<void> => {
      const call = { ...callerOf(request), version: parts.version, log: parts.log };
      reply.hijack();
      try {
        await answerMcp(parts, call, { request: request.raw, response: reply.raw, body: request.body });
      } catch (error) {
        parts.log.error({ error: String(error) }, 'a request of an agent failed');
        reply.raw.destroy();
      }
    },
  );

  // There are no sessions, and so no stream to listen to and nothing to delete.
  app.route({
    method: ['GET', 'DELETE'],
    url: '/gateway/mcp',
    config,
    onRequest,
    schema: { hide: true },
    handler: async (_request, reply) =>
      reply.code(405).header('allow', 'POST').send({ error: 'There is no session: send each request with POST' }),
  });

  const schema = { hide: true, params: z.object({ tool: z.enum(reportToolNames) }), body: z.unknown() };
  app.post('/gateway/report/:tool', { config, bodyLimit, onRequest, schema }, async (request, reply) => {
    const { run, redact } = callerOf(request);
    const { tool } = request.params;
    if (!hasTool(run, tool)) throw withheld(run, tool);
    const parsed = reportTools[tool].safeParse(request.body ?? {});
    if (!parsed.success) throw invalid(tool, parsed.error);
    return (
      (await answerSlowly({ reply, log: parts.log }, waiting =>
        callTool(parts, tool, { run, args: redact(parsed.data), waiting }),
      )) ?? reply
    );
  });
}

interface Identified {
  readonly run: RunContext;
  readonly redact: <T>(args: T) => T;
}

const bearer = /^Bearer (\S{1,200})$/i;

async function identify({ headers }: FastifyRequest, { database }: ReportParts): Promise<Identified> {
  const secret = bearer.exec(headers.authorization ?? '')?.[1];
  if (secret === undefined) {
    throw new Fault('unauthenticated', {
      hint: 'Send the header "Authorization: Bearer TOKEN", with the token in $SKEP_RUN_TOKEN',
    });
  }
  return {
    run: await runOfToken(database, secret),
    redact: args => JSON.parse(JSON.stringify(args).replaceAll(secret, '[run token]')) as typeof args,
  };
}

function withheld({ template, tools }: RunContext, tool: ReportTool): Fault {
  return new Fault('forbidden', {
    message: `The template ${template} does not give its agent ${tool}`,
    hint: `It gives: ${tools?.join(', ') || 'none'}. Go on without`,
  });
}

function invalid(tool: string, { issues }: z.ZodError): Fault {
  const listed = issues.slice(0, 10).map(({ path, message }) => ({ path: path.join('.'), message }));
  const text = listed.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  return new Fault('invalid_request', { message: `${tool}: ${text}`, facts: { issues: listed } });
}

/**
 * JSON, at once where there is nothing to wait for. While a person is waited for, blanks, so that nothing on the way cuts the
 * connection: JSON may begin with them. A refusal that comes after those is a body with `error`.
 */
async function answerSlowly(
  { reply, log }: { reply: FastifyReply; log: Log },
  work: (waiting: Waiting) => Promise<ReportAnswer>,
): Promise<ReportAnswer | undefined> {
  const { raw } = reply;
  const gone = new AbortController();
  raw.once('close', () => gone.abort());
  const onWait = () => {
    if (!reply.sent) {
      reply.hijack();
      raw.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
    }
    raw.write(' ');
  };
  try {
    const answer = await work({ signal: gone.signal, onWait });
    if (!reply.sent) return answer;
    raw.end(JSON.stringify(answer));
  } catch (error) {
    if (!reply.sent) throw error;
    if (!isFault(error)) log.error({ error: String(error) }, 'a report of an agent failed');
    raw.end(JSON.stringify({ error: isFault(error) ? error.message : serverFailed }));
  }
  return undefined;
}
