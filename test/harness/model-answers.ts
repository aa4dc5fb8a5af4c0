import type { Wire } from '../../src/gateway/upstream.ts';

/** Short real answers of each wire: 11 tokens of prompt of which 3 were cached, 7 tokens of answer; 2 of them reasoning where the wire says it. */
interface Answers {
  /** Events, each with its blank line. */
  readonly events: readonly string[];
  readonly whole: string;
  /** An error as it stands in a stream. */
  readonly overloaded: string;
  /** The events before the one that ends the answer well. */
  readonly unfinished: readonly string[];
}

const named = (type: string, fields: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
const unnamed = (fields: object): string => `data: ${JSON.stringify(fields)}\n\n`;

const anthropicUsage = { input_tokens: 8, cache_read_input_tokens: 3, cache_creation_input_tokens: 0 };
const anthropicEvents = [
  named('message_start', {
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [],
      stop_reason: null,
      usage: { ...anthropicUsage, output_tokens: 1 },
    },
  }),
  named('ping', {}),
  named('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  named('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'Grüße, ' } }),
  named('content_block_stop', { index: 0 }),
  named('content_block_start', { index: 1, content_block: { type: 'tool_use', id: 't', name: 'shell', input: {} } }),
  named('content_block_delta', { index: 1, delta: { type: 'input_json_delta', partial_json: '{"command":"rm -rf ' } }),
  named('content_block_delta', { index: 1, delta: { type: 'input_json_delta', partial_json: 'build"}' } }),
  named('content_block_stop', { index: 1 }),
  named('message_delta', { delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 7 } }),
  named('message_stop', {}),
];

const chatUsage = {
  prompt_tokens: 11,
  completion_tokens: 7,
  prompt_tokens_details: { cached_tokens: 3 },
  completion_tokens_details: { reasoning_tokens: 2 },
};
const chunk = (choices: readonly object[], more: object = {}) =>
  unnamed({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more });
const chatEvents = [
  chunk([{ index: 0, delta: { role: 'assistant', content: 'Grüße, ' }, finish_reason: null }]),
  chunk([
    { index: 0, delta: { tool_calls: [{ index: 0, id: 't', function: { name: 'shell', arguments: '{"command":"rm -rf ' } }] } },
  ]),
  chunk([{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: 'build"}' } }] } }]),
  chunk([{ index: 0, delta: {}, finish_reason: 'tool_calls' }]),
  chunk([], { usage: chatUsage }),
  'data: [DONE]\n\n',
];

const responsesUsage = {
  input_tokens: 11,
  input_tokens_details: { cached_tokens: 3 },
  output_tokens: 7,
  output_tokens_details: { reasoning_tokens: 2 },
};
const response = { id: 'r', object: 'response', status: 'in_progress', output: [] };
const responsesEvents = [
  named('response.created', { sequence_number: 0, response }),
  named('response.output_text.delta', { sequence_number: 1, delta: 'Grüße, ' }),
  named('response.function_call_arguments.delta', { sequence_number: 2, delta: '{"command":"rm -rf ' }),
  named('response.function_call_arguments.delta', { sequence_number: 3, delta: 'build"}' }),
  named('response.completed', { sequence_number: 4, response: { ...response, status: 'completed', usage: responsesUsage } }),
];

const geminiUsage = {
  promptTokenCount: 11,
  cachedContentTokenCount: 3,
  candidatesTokenCount: 5,
  thoughtsTokenCount: 2,
  totalTokenCount: 18,
};
const candidate = (text: string, more: object = {}) => ({
  candidates: [{ index: 0, content: { role: 'model', parts: [{ text }] }, ...more }],
});
const geminiEvents = [
  unnamed(candidate('Grüße, ')),
  unnamed(candidate('Welt')),
  unnamed({ ...candidate('!', { finishReason: 'STOP' }), usageMetadata: geminiUsage }),
];

export const answers: Readonly<Record<Wire, Answers>> = {
  anthropic: {
    events: anthropicEvents,
    unfinished: anthropicEvents.slice(0, -1),
    whole: JSON.stringify({
      ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', stop_reason: 'end_turn' },
      content: [{ type: 'text', text: 'Grüße' }],
      usage: { ...anthropicUsage, output_tokens: 7 },
    }),
    overloaded: named('error', { error: { type: 'overloaded_error', message: 'Overloaded' } }),
  },
  chat: {
    events: chatEvents,
    unfinished: chatEvents.slice(0, -1),
    whole: JSON.stringify({
      ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
      choices: [{ index: 0, message: { role: 'assistant', content: 'Grüße' }, finish_reason: 'stop' }],
      usage: chatUsage,
    }),
    overloaded: unnamed({ error: { message: 'Overloaded', type: 'server_error', code: 503 } }),
  },
  responses: {
    events: responsesEvents,
    unfinished: responsesEvents.slice(0, -1),
    whole: JSON.stringify({ ...response, status: 'completed', error: null, usage: responsesUsage }),
    overloaded: named('error', { code: 'server_is_overloaded', message: 'Overloaded', param: null }),
  },
  gemini: {
    events: geminiEvents,
    unfinished: geminiEvents.slice(0, -1),
    whole: JSON.stringify({ ...candidate('Grüße', { finishReason: 'STOP' }), usageMetadata: geminiUsage }),
    overloaded: unnamed({ error: { code: 503, message: 'Overloaded', status: 'UNAVAILABLE' } }),
  },
};

/** What each wire's client asks, and where. */
export function askOf(
  wire: Wire,
  { model = 'local/m', isStream = true }: { model?: string; isStream?: boolean } = {},
): { path: string; body: object } {
  const messages = [{ role: 'user', content: 'Hello' }];
  const limited = { model, stream: isStream, max_tokens: 1_000, messages };
  const asks = {
    anthropic: { path: '/gateway/v1/messages', body: limited },
    chat: { path: '/gateway/v1/chat/completions', body: limited },
    responses: { path: '/gateway/v1/responses', body: { model, stream: isStream, max_output_tokens: 1_000, input: 'Hello' } },
    gemini: {
      path: `/gateway/v1beta/models/${model}:${isStream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
      body: { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }], generationConfig: { maxOutputTokens: 1_000 } },
    },
  };
  return asks[wire];
}
