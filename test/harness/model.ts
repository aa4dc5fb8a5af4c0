import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';

/**
 * What a scripted model answers: a document, raw text, a status with an error, the beginning of an answer that breaks off, or one that
 * ends at its limit, or as it does not want to go on.
 */
export type ModelAnswer =
  | { readonly object: object }
  | { readonly text: string; readonly end?: 'length' | 'content_filter' | 'insufficient_system_resource' }
  | { readonly status: number; readonly message: string }
  | { readonly broken: string };

export interface AskedModel {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A model behind a gateway, on the wires of Anthropic, of Gemini and of chat completions, as streams: gives its answers one after another. */
export interface ScriptedModel {
  readonly listener: RequestListener;
  readonly asked: readonly AskedModel[];
}

export function scriptedModel(answers: readonly ModelAnswer[]): ScriptedModel {
  const left = [...answers];
  const asked: AskedModel[] = [];

  async function serve(message: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = (await json(message)) as Record<string, unknown>;
    const { authorization, 'x-api-key': key = message.headers['x-goog-api-key'] } = message.headers;
    asked.push({
      path: message.url ?? '',
      authorization: authorization ?? (key === undefined ? undefined : `Key ${String(key)}`),
      body,
    });
    const next = left.shift() ?? { status: 500, message: 'nothing is left to be said' };
    if ('status' in next) {
      answer.writeHead(next.status, { 'content-type': 'application/json' });
      answer.end(JSON.stringify({ type: 'error', error: { type: 'scripted', message: next.message } }));
      return;
    }
    const text = 'object' in next ? JSON.stringify(next.object) : 'text' in next ? next.text : next.broken;
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    const frames = framesOf(message.url ?? '', { text, body, end: ('end' in next ? next.end : undefined) ?? 'stop' });
    const sent = 'broken' in next ? frames.slice(0, Math.max(1, frames.length - 3)) : frames;
    for (const frame of sent) answer.write(frame);
    if ('broken' in next) answer.destroy();
    else answer.end();
  }

  return { asked, listener: (message, answer) => void serve(message, answer).catch(() => answer.destroy()) };
}

interface Said {
  readonly text: string;
  /** What was asked. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly end: string;
}

function framesOf(path: string, { text, body, end }: Said): string[] {
  if (path.includes('/v1beta/')) return geminiFrames(text, end);
  return path.endsWith('/messages') ? anthropicFrames(text, body) : chatFrames(text, end);
}

const geminiEnds: Readonly<Record<string, string>> = { stop: 'STOP', length: 'MAX_TOKENS', content_filter: 'SAFETY' };

function geminiFrames(text: string, end: string): string[] {
  const chunk = (part: string, candidate: object, more: object) =>
    `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text: part }] }, index: 0, ...candidate }], ...more })}\n\n`;
  const [first = '', second = ''] = halves(text);
  const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 };
  return [chunk(first, {}, {}), chunk(second, { finishReason: geminiEnds[end] ?? 'OTHER' }, { usageMetadata })];
}

function chatFrames(text: string, end: string): string[] {
  const chunk = (choices: object[], more: object = {}) =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })}\n\n`;
  return [
    chunk([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]),
    ...halves(text).map(content => chunk([{ index: 0, delta: { content }, finish_reason: null }])),
    chunk([{ index: 0, delta: {}, finish_reason: end }]),
    chunk([], { usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }),
    'data: [DONE]\n\n',
  ];
}

/** As a call of the tool that was asked for, or as text where the shape was asked for otherwise. */
function anthropicFrames(text: string, { tools }: Readonly<Record<string, unknown>>): string[] {
  const event = (type: string, data: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
  const isTool = Array.isArray(tools) && tools.length > 0;
  const block = isTool ? { type: 'tool_use', id: 't', name: 'json', input: {} } : { type: 'text', text: '' };
  const delta = (part: string) =>
    isTool ? { type: 'input_json_delta', partial_json: part } : { type: 'text_delta', text: part };
  const usage = { input_tokens: 1, output_tokens: 1 };
  return [
    event('message_start', { message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage } }),
    event('content_block_start', { index: 0, content_block: block }),
    ...halves(text).map(part => event('content_block_delta', { index: 0, delta: delta(part) })),
    event('content_block_stop', { index: 0 }),
    event('message_delta', { delta: { stop_reason: isTool ? 'tool_use' : 'end_turn' }, usage }),
    event('message_stop', {}),
  ];
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}
