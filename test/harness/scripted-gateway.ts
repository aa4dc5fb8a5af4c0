import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** What the model does at one of its calls. */
export type Step =
  | { readonly say: string; readonly end?: 'length' }
  | { readonly shell: string }
  | { readonly report: string; readonly args: Readonly<Record<string, unknown>> }
  /** A refusal. */
  | { readonly status: number; readonly message: string }
  /** The stream ends before its terminal event. */
  | { readonly cut: string }
  /** No answer at all. */
  | { readonly hang: true };

export interface ScriptedGateway {
  readonly listener: RequestListener;
  /** `METHOD path token` of every request. */
  readonly heard: readonly string[];
  /** Bodies of the calls to the model. */
  readonly asked: readonly Asked[];
  /** `tool JSON`, by MCP or by skep-report. */
  readonly reports: readonly string[];
}

interface Asked {
  readonly model: string;
  readonly text: string;
  readonly tools: string;
}

/** Of all gateways: the calls of a conversation that goes on have ids of their own. */
let calls = 0;

/** A small gateway in front of a scripted model, on the wires that coding agents speak. */
export function scriptedGateway(steps: readonly Step[], onAsked: (count: number) => void = () => {}): ScriptedGateway {
  const heard: string[] = [];
  const asked: Asked[] = [];
  const reports: string[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const { pathname } = new URL(request.url ?? '/', 'http://x');
    // Claude Code looks first whether anybody is there.
    if (request.method === 'HEAD') return void response.writeHead(404).end();
    const token =
      request.headers.authorization?.replace('Bearer ', '') ?? request.headers['x-api-key'] ?? request.headers['x-goog-api-key'];
    heard.push(`${request.method} ${pathname} ${String(token)}`);
    const [, tool] = /^\/gateway\/report\/(\w+)$/.exec(pathname) ?? [];
    if (tool !== undefined) {
      reports.push(`${tool} ${body}`);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
    } else if (pathname === '/gateway/mcp') {
      answerMcp(request, response, { body, reports });
    } else {
      const given = JSON.parse(body || '{}') as { readonly model?: string; readonly tools?: unknown };
      const model = given.model ?? /models\/([^:]+)/.exec(pathname)?.[1] ?? '';
      asked.push({ model, text: body, tools: JSON.stringify(given.tools ?? []) });
      const step = steps[asked.length - 1] ?? { say: 'Nothing is left to do.' };
      onAsked(asked.length);
      speak(step, { pathname, given, response, id: `call_${++calls}` });
    }
  }

  return { heard, asked, reports, listener: (request, response) => void answer(request, response) };
}

interface Speaking {
  readonly pathname: string;
  readonly given: { readonly tools?: unknown };
  readonly response: ServerResponse;
  readonly id: string;
}

interface ToolCall {
  readonly name: string;
  readonly namespace?: string;
  readonly args: object;
}

function speak(step: Step, { pathname, given, response, id }: Speaking): void {
  if ('hang' in step) return;
  if ('status' in step) {
    const isGemini = pathname.includes('/v1beta/');
    const error = {
      message: step.message,
      ...(isGemini ? { code: step.status } : { type: 'budget_spent', code: 'budget_spent' }),
    };
    response.writeHead(step.status, { 'content-type': 'application/json' }).end(JSON.stringify({ type: 'error', error }));
    return;
  }
  const call = toolCall(step, JSON.stringify(given.tools ?? []));
  const said = 'say' in step ? step.say : 'cut' in step ? step.cut : '';
  const all = wireOf(pathname)({ call, said, id, isLong: 'end' in step });
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of 'cut' in step ? all.slice(0, -1) : all) response.write(event);
  if ('cut' in step) response.destroy();
  else response.end();
}

/** With the tools that the agent has. */
function toolCall(step: Step, tools: string): ToolCall | undefined {
  if (!('shell' in step) && !('report' in step)) return undefined;
  const isCodex = tools.includes('"exec_command"');
  if ('report' in step && isCodex) return { name: step.report, namespace: 'mcp__skep', args: step.args };
  const [, own] = ('report' in step && new RegExp(`"(\\w+_${step.report})"`).exec(tools)) || [];
  if ('report' in step && own !== undefined) return { name: own, args: step.args };
  const line = 'shell' in step ? step.shell : `skep-report ${step.report} --json '${JSON.stringify(step.args)}'`;
  if (isCodex) return { name: 'exec_command', args: { cmd: line } };
  const [, shell = 'bash'] = /"(Bash|run_shell_command)"/.exec(tools) ?? [];
  return { name: shell, args: { command: line } };
}

interface Said {
  readonly call: ToolCall | undefined;
  readonly said: string;
  readonly id: string;
  readonly isLong: boolean;
}

function wireOf(pathname: string): (said: Said) => string[] {
  if (pathname.endsWith('/responses')) return responses;
  if (pathname.endsWith('/messages')) return anthropic;
  return pathname.includes('/v1beta/') ? gemini : chat;
}

const event = (data: object, type?: string): string =>
  `${type === undefined ? '' : `event: ${type}\n`}data: ${JSON.stringify(data)}\n\n`;

function responses({ call, said, id }: Said): string[] {
  const typed = (type: string, data: object): string => event({ type, ...data }, type);
  const item =
    call === undefined
      ? {
          type: 'message',
          role: 'assistant',
          id: `m${id}`,
          status: 'completed',
          content: [{ type: 'output_text', text: said, annotations: [] }],
        }
      : {
          type: 'function_call',
          id: `f${id}`,
          call_id: id,
          name: call.name,
          namespace: call.namespace,
          arguments: JSON.stringify(call.args),
        };
  const usage = {
    input_tokens: 100,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 10,
    output_tokens_details: { reasoning_tokens: 0 },
  };
  return [
    typed('response.created', { response: { id: `r${id}` } }),
    typed('response.output_item.added', { output_index: 0, item }),
    typed('response.output_item.done', { output_index: 0, item }),
    typed('response.completed', { response: { id: `r${id}`, status: 'completed', usage: { ...usage, total_tokens: 110 } } }),
  ];
}

function chat({ call, said, id, isLong }: Said): string[] {
  const chunk = (data: object): string => event({ id, object: 'chat.completion.chunk', model: 'm', ...data });
  const fn = { name: call?.name, arguments: JSON.stringify(call?.args) };
  const delta = call === undefined ? { content: said } : { tool_calls: [{ index: 0, id, type: 'function', function: fn }] };
  const stop = isLong ? 'length' : 'stop';
  return [
    chunk({ choices: [{ index: 0, delta: { role: 'assistant', ...delta } }] }),
    `${chunk({ choices: [{ index: 0, delta: {}, finish_reason: call === undefined ? stop : 'tool_calls' }] })}${chunk({ choices: [], usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 } })}data: [DONE]\n\n`,
  ];
}

function anthropic({ call, said, id }: Said): string[] {
  const typed = (type: string, data: object): string => event({ type, ...data }, type);
  const block = call === undefined ? { type: 'text', text: '' } : { type: 'tool_use', id, name: call.name, input: {} };
  const delta =
    call === undefined
      ? { type: 'text_delta', text: said }
      : { type: 'input_json_delta', partial_json: JSON.stringify(call.args) };
  const message = {
    id,
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [],
    stop_reason: null,
    usage: { input_tokens: 100, output_tokens: 1 },
  };
  return [
    typed('message_start', { message }),
    typed('content_block_start', { index: 0, content_block: block }),
    typed('content_block_delta', { index: 0, delta }),
    typed('content_block_stop', { index: 0 }),
    typed('message_delta', {
      delta: { stop_reason: call === undefined ? 'end_turn' : 'tool_use' },
      usage: { output_tokens: 10 },
    }),
    typed('message_stop', {}),
  ];
}

function gemini({ call, said }: Said): string[] {
  const part = call === undefined ? { text: said } : { functionCall: { name: call.name, args: call.args } };
  const usageMetadata = { promptTokenCount: 100, candidatesTokenCount: 10, totalTokenCount: 110 };
  return [event({ candidates: [{ content: { role: 'model', parts: [part] }, finishReason: 'STOP', index: 0 }], usageMetadata })];
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
