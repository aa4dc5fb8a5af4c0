/** How the answer of a scripted model ends. */
export type Stop = 'end' | 'length' | 'refusal';

/** A call of one of the agent's own tools. */
export interface ToolCall {
  readonly name: string;
  readonly namespace?: string;
  readonly args: object;
}

/** An answer, whatever the wire. */
export interface Said {
  readonly call: ToolCall | undefined;
  readonly said: string;
  readonly thought: string | undefined;
  readonly id: string;
  readonly stop: Stop;
}

/** One way to say it: the events of a stream, the last of which ends the answer, and an error as it stands in a stream. */
export interface SpokenWire {
  readonly events: (said: Said) => string[];
  readonly error: (message: string) => string;
  readonly refusal: (status: number, message: string) => object;
}

/** The wire of a path that agents and gateways ask. */
export function wireAt(path: string): SpokenWire {
  if (path.includes('/responses')) return responses;
  if (path.includes('/messages')) return anthropic;
  return /:(?:streamG|g)enerateContent/.test(path) ? gemini : chat;
}

const event = (data: object, type?: string): string =>
  `${type === undefined ? '' : `event: ${type}\n`}data: ${JSON.stringify(data)}\n\n`;
const typed = (type: string, data: object): string => event({ type, ...data }, type);

/** What providers call it; 402 is our own gateway's. */
const errorTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'budget_spent',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  529: 'overloaded_error',
};

function errorOf(status: number, message: string): object {
  const type = errorTypes[status] ?? 'api_error';
  return { message, type, code: type };
}

const openAi = (status: number, message: string): object => ({ error: errorOf(status, message) });

const responses: SpokenWire = {
  refusal: openAi,
  error: message => typed('error', { code: 'server_is_overloaded', message, param: null }),
  events({ call, said, thought, id, stop }) {
    const usage = {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 10,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 110,
    };
    const text = { type: 'output_text', text: said, annotations: [] };
    const refused = { type: 'refusal', refusal: said };
    const message = {
      type: 'message',
      role: 'assistant',
      id: `m${id}`,
      status: 'completed',
      content: [stop === 'refusal' ? refused : text],
    };
    const asked = { type: 'function_call', id: `f${id}`, call_id: id, name: call?.name, namespace: call?.namespace };
    const reasoning = { type: 'reasoning', id: `t${id}`, summary: [{ type: 'summary_text', text: thought }] };
    const items = [
      ...(thought === undefined ? [] : [reasoning]),
      call === undefined ? message : { ...asked, arguments: JSON.stringify(call.args) },
    ];
    const isShort = stop === 'length';
    const end = isShort ? { incomplete_details: { reason: 'max_output_tokens' } } : {};
    const status = isShort ? 'incomplete' : 'completed';
    return [
      typed('response.created', { response: { id: `r${id}` } }),
      ...items.flatMap((item, index) => [
        typed('response.output_item.added', { output_index: index, item }),
        typed('response.output_item.done', { output_index: index, item }),
      ]),
      typed(`response.${status}`, { response: { id: `r${id}`, status, ...end, usage } }),
    ];
  },
};

const chatStops: Readonly<Record<Stop, string>> = { end: 'stop', length: 'length', refusal: 'content_filter' };

const chat: SpokenWire = {
  refusal: openAi,
  error: message => event({ error: { message, type: 'server_error', code: 503 } }),
  events({ call, said, thought, id, stop }) {
    const chunk = (data: object): string => event({ id, object: 'chat.completion.chunk', model: 'm', ...data });
    const saying = (delta: object): string => chunk({ choices: [{ index: 0, delta: { role: 'assistant', ...delta } }] });
    const fn = { name: call?.name, arguments: JSON.stringify(call?.args) };
    const delta = call === undefined ? { content: said } : { tool_calls: [{ index: 0, id, type: 'function', function: fn }] };
    const reason = call === undefined ? chatStops[stop] : 'tool_calls';
    const usage = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 };
    return [
      ...(thought === undefined ? [] : [saying({ reasoning_content: thought })]),
      saying(delta),
      `${chunk({ choices: [{ index: 0, delta: {}, finish_reason: reason }] })}${chunk({ choices: [], usage })}data: [DONE]\n\n`,
    ];
  },
};

const anthropicStops: Readonly<Record<Stop, string>> = { end: 'end_turn', length: 'max_tokens', refusal: 'refusal' };

const anthropic: SpokenWire = {
  refusal: (status, message) => ({ type: 'error', error: errorOf(status, message) }),
  error: message => typed('error', { error: { type: 'overloaded_error', message } }),
  events({ call, said, thought, id, stop }) {
    const head = { id, type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null };
    const message = { ...head, usage: { input_tokens: 100, output_tokens: 1 } };
    const thinking = { type: 'thinking', thinking: '', signature: '' };
    const tool = { type: 'tool_use', id, name: call?.name, input: {} };
    const blocks = [
      ...(thought === undefined ? [] : [[thinking, { type: 'thinking_delta', thinking: thought }] as const]),
      call === undefined
        ? ([
            { type: 'text', text: '' },
            { type: 'text_delta', text: said },
          ] as const)
        : ([tool, { type: 'input_json_delta', partial_json: JSON.stringify(call.args) }] as const),
    ];
    const reason = call === undefined ? anthropicStops[stop] : 'tool_use';
    return [
      typed('message_start', { message }),
      ...blocks.flatMap(([content_block, delta], index) => [
        typed('content_block_start', { index, content_block }),
        typed('content_block_delta', { index, delta }),
        typed('content_block_stop', { index }),
      ]),
      typed('message_delta', { delta: { stop_reason: reason }, usage: { output_tokens: 10 } }),
      typed('message_stop', {}),
    ];
  },
};

const geminiStops: Readonly<Record<Stop, string>> = { end: 'STOP', length: 'MAX_TOKENS', refusal: 'SAFETY' };

const gemini: SpokenWire = {
  refusal: (status, message) => ({ error: { message, code: status } }),
  error: message => event({ error: { code: 503, message, status: 'UNAVAILABLE' } }),
  events({ call, said, thought, stop }) {
    const part = call === undefined ? { text: said } : { functionCall: { name: call.name, args: call.args } };
    const content = (parts: readonly object[]): object => ({ role: 'model', parts });
    const usageMetadata = { promptTokenCount: 100, candidatesTokenCount: 10, totalTokenCount: 110 };
    const told = (parts: readonly object[]): string => event({ candidates: [{ content: content(parts), index: 0 }] });
    const last = { content: content([{ text: '' }]), finishReason: geminiStops[stop], index: 0 };
    return [
      ...(thought === undefined ? [] : [told([{ text: thought, thought: true }])]),
      told([part]),
      event({ candidates: [last], usageMetadata }),
    ];
  },
};
