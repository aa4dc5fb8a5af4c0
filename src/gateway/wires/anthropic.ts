import { countOf, type Fields, fieldsOf, isGiven, listOf, textOf } from '../model/json.ts';
import type { Usage } from '../model/usage.ts';
import { type AnswerReader, content, idle, outputTokensMin, type Seen, terminal, type WireFormat } from './format.ts';
import { refuseFetched, refuseFields, refuseTools } from './hosted.ts';
import { createStops, createTextMeter, isJsonObject, malformed, readEvent, refused, streamField } from './reading.ts';

/** Anthropic Messages. */
export const anthropic: WireFormat = {
  wire: 'anthropic',
  overloadedStatus: 529,
  readRequest(body) {
    const thinking = fieldsOf(body['thinking']) ?? {};
    const budget = thinking['type'] === 'enabled' ? (countOf(thinking['budget_tokens']) ?? 0) : 0;
    return {
      model: textOf(body['model']),
      isStream: body['stream'] === true,
      outputTokens: countOf(body['max_tokens']) ?? null,
      choices: 1,
      outputTokensMin: budget + outputTokensMin,
      isCachedLong: asksForLongCache([body['system'], body['tools'], body['messages']]),
    };
  },
  refuse: body =>
    refusePriced(body) ??
    refuseFields(body, ['mcp_servers', 'container', 'fallbacks']) ??
    refuseTools(body['tools'], serverTool) ??
    refuseFetched(body['system'], body['messages']),
  prepare: (body, { model, outputTokens, isStream }) => ({
    ...body,
    model,
    ...streamField(body, isStream),
    ...(outputTokens === null ? {} : { max_tokens: outputTokens }),
  }),
  createReader,
  errorBody: problem => ({
    type: 'error',
    error: { type: typeOf(problem.status), message: problem.message, code: problem.code },
  }),
  errorEvent: problem => `event: error\ndata: ${JSON.stringify(anthropic.errorBody(problem))}\n\n`,
};

/** Those that the client runs; a search among the tools themselves costs nothing. */
const ownTool = /^(custom|(bash|text_editor|computer|memory)_\d{8}|tool_search_tool_\w+)$/;

function serverTool({ type }: Fields): string | undefined {
  const name = type === undefined ? 'custom' : (textOf(type) ?? 'without a name');
  return ownTool.test(name) ? undefined : name;
}

function refusePriced(body: Fields): string | undefined {
  const edits = listOf(fieldsOf(body['context_management'])?.['edits']);
  if (body['speed'] === 'fast') return 'speed "fast" has a price of its own that the gateway does not count: leave it out';
  if (isGiven(body['inference_geo']) && body['inference_geo'] !== 'global')
    return '"inference_geo" has a price of its own that the gateway does not count: leave it out';
  // It is an answer before the answer, and the usage of the one does not have the other's.
  if (edits.some(edit => textOf(fieldsOf(edit)?.['type'])?.startsWith('compact') === true))
    return 'A compaction by the provider is not in the usage that the gateway counts by: leave it out';
  return undefined;
}

/** `"cache_control": {"ttl": "1h"}` may stand on any block: of a message, or of the result of a tool in it. */
function asksForLongCache(value: unknown, depth = 0): boolean {
  if (depth > blockDepthMax) return false;
  if (Array.isArray(value)) return value.some(item => asksForLongCache(item, depth + 1));
  const fields = fieldsOf(value) ?? {};
  return fieldsOf(fields['cache_control'])?.['ttl'] === '1h' || asksForLongCache(fields['content'], depth + 1);
}

const blockDepthMax = 10;

const types: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  422: 'invalid_request_error',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

function typeOf(status: number): string {
  return types[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}

/** Why an answer is not what was asked for; all other reasons are good ones. */
const stops = { max_tokens: 'length', model_context_window_exceeded: 'length', refusal: 'refusal' } as const;

function createReader(body: Fields): AnswerReader {
  const meter = createTextMeter();
  const stop = createStops(body, stops);
  const open = new Set<unknown>();
  let usage: Usage | undefined;

  function take(said: Fields | undefined): void {
    if (said === undefined) return;
    const was = usage;
    // Cumulative: a later one says again what it has, and leaves out what it has not.
    usage = {
      inputTokens: countOf(said['input_tokens']) ?? was?.inputTokens ?? 0,
      outputTokens: countOf(said['output_tokens']) ?? was?.outputTokens ?? 0,
      cachedTokens: countOf(said['cache_read_input_tokens']) ?? was?.cachedTokens ?? 0,
      cacheWriteTokens: countOf(said['cache_creation_input_tokens']) ?? was?.cacheWriteTokens ?? 0,
      cacheWriteLongTokens:
        countOf(fieldsOf(said['cache_creation'])?.['ephemeral_1h_input_tokens']) ?? was?.cacheWriteLongTokens ?? 0,
      reasoningTokens: 0,
    };
  }

  function event(said: Fields): Seen {
    switch (said['type']) {
      case 'ping':
        return idle;
      case 'error':
        return refused(said['error']);
      case 'message_start':
        take(fieldsOf(fieldsOf(said['message'])?.['usage']));
        return content;
      case 'content_block_start':
        open.add(said['index']);
        return content;
      case 'content_block_delta':
        for (const field of Object.values(fieldsOf(said['delta']) ?? {})) meter.add(field);
        return content;
      case 'content_block_stop':
        open.delete(said['index']);
        return content;
      case 'message_delta':
        take(fieldsOf(said['usage']));
        stop.add(fieldsOf(said['delta'])?.['stop_reason']);
        return content;
      case 'message_stop':
        return open.size === 0 ? terminal : malformed('its answer ended within a block');
      default:
        return content;
    }
  }

  return {
    event: ({ data }) => readEvent(data, event),
    whole(answer) {
      if (!isJsonObject(answer)) return malformed('its answer is not a message');
      if (answer['type'] === 'error') return refused(answer['error']);
      take(fieldsOf(answer['usage']));
      stop.add(answer['stop_reason']);
      for (const block of listOf(answer['content'])) for (const field of Object.values(fieldsOf(block) ?? {})) meter.add(field);
      return answer['type'] === 'message' && isGiven(answer['stop_reason'])
        ? terminal
        : malformed('its answer is not a whole message');
    },
    usage: () => usage,
    tokensSeen: meter.tokens,
    short: stop.short,
  };
}
