import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { speak } from './model-steps.ts';
import type { Step } from './model-steps.ts';

export interface ScriptedGateway {
  readonly listener: RequestListener;
  /** `METHOD path token` of every request. */
  readonly heard: readonly string[];
  /** Bodies of the calls to the model. */
  readonly asked: readonly Asked[];
  /** `tool JSON`, by MCP or by skep-report. */
  readonly reports: readonly string[];
  /** By which way each call of a tool came that was not answered. */
  readonly refused: readonly ('MCP' | 'skep-report')[];
}

interface Asked {
  readonly model: string;
  readonly text: string;
  readonly tools: string;
}

interface More {
  readonly onAsked?: ((count: number) => void) | undefined;
  /** Its tools answer nobody but the worker, who looks for them first; or they break the connection off at the first call. */
  readonly tools?: 'gone' | 'breaking' | undefined;
}

/** A small gateway in front of a scripted model, on the wires that coding agents speak. */
export function scriptedGateway(steps: readonly Step[], { onAsked, tools }: More = {}): ScriptedGateway {
  const heard: string[] = [];
  const asked: Asked[] = [];
  const reports: string[] = [];
  const refused: ('MCP' | 'skep-report')[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const { pathname } = new URL(request.url ?? '/', 'http://x');
    // Claude Code looks first whether anybody is there.
    if (request.method === 'HEAD') return void response.writeHead(404).end();
    const token =
      request.headers.authorization?.replace('Bearer ', '') ?? request.headers['x-api-key'] ?? request.headers['x-goog-api-key'];
    const isFirst = heard.length === 0;
    heard.push(`${request.method} ${pathname} ${String(token)}`);
    const [, tool] = /^\/gateway\/report\/(\w+)$/.exec(pathname) ?? [];
    const isMcp = pathname === '/gateway/mcp';
    const isCall = tool !== undefined || (isMcp && body.includes('"tools/call"'));
    if (
      (tools === 'gone' && (isMcp || isCall) && !isFirst) ||
      (tools === 'breaking' && (isCall || (isMcp && refused.length > 0)))
    ) {
      refused.push(isMcp ? 'MCP' : 'skep-report');
      if (tools === 'gone') response.writeHead(503).end();
      else response.socket?.resetAndDestroy();
    } else if (tool !== undefined) {
      reports.push(`${tool} ${body}`);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
    } else if (isMcp) {
      answerMcp(request, response, { body, reports });
    } else {
      const given = JSON.parse(body || '{}') as { readonly model?: string; readonly tools?: unknown };
      const model = given.model ?? /models\/([^:]+)/.exec(pathname)?.[1] ?? '';
      asked.push({ model, text: body, tools: JSON.stringify(given.tools ?? []) });
      const step = steps[asked.length - 1] ?? { say: 'Nothing is left to do.' };
      onAsked?.(asked.length);
      speak(step, { path: pathname, tools: given.tools, response });
    }
  }

  return { heard, asked, reports, refused, listener: (request, response) => void answer(request, response) };
}

function answerMcp(
  request: IncomingMessage,
  response: ServerResponse,
  { body, reports }: { body: string; reports: string[] },
): void {
  if (request.method !== 'POST') return void response.writeHead(405).end();
  const { id, method, params } = JSON.parse(body) as { id?: number; method: string; params?: Record<string, unknown> };
  if (id === undefined) return void response.writeHead(202).end();
  const inputSchema = { type: 'object', properties: { status: { type: 'string' }, summary: { type: 'string' } } };
  if (method === 'tools/call') reports.push(`${String(params?.['name'])} ${JSON.stringify(params?.['arguments'])}`);
  const results: Readonly<Record<string, object>> = {
    initialize: {
      protocolVersion: params?.['protocolVersion'],
      capabilities: { tools: {} },
      serverInfo: { name: 'skep', version: '1' },
    },
    'tools/list': { tools: ['submit_result', 'report_blocker'].map(name => ({ name, description: name, inputSchema })) },
    'tools/call': { content: [{ type: 'text', text: 'Taken.' }] },
  };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result: results[method] ?? {} }));
}
