import { countOf, type Fields, fieldsOf, isGiven, limitOf, listOf, textOf } from '../model/json.ts';
import type { Usage } from '../model/usage.ts';
import { type AnswerReader, content, outputTokensMin, type Seen, terminal, type WireFormat } from './format.ts';
import { refuseFetched } from './hosted.ts';
import { openAiError, refuseHosted, refuseTier } from './openai.ts';
import { createStops, createTextMeter, isJsonObject, malformed, readEvent, refused, rest, streamField } from './reading.ts';

/** OpenAI Responses. */
export const responses: WireFormat = {
  wire: 'responses',
  overloadedStatus: 503,
  readRequest(body) {
    return {
      model: textOf(body['model']),
      isStream: body['stream'] === true,
      outputTokens: limitOf(body['max_output_tokens']),
      choices: 1,
      outputTokensMin,
    };
  },
  refuse(body) {
    if (body['background'] === true)
      return 'An answer in the background is not seen by the gateway, which could not count it: leave "background" out';
    const stored = ['previous_response_id', 'conversation', 'prompt'].find(field => isGiven(body[field]));
    if (stored !== undefined) return `The gateway cannot count what "${stored}" stands for: send the whole input`;
    return refuseTier(body) ?? refuseHosted(body) ?? refuseFetched(body['input']);
  },
  prepare: (body, { model, outputTokens, isStream }) => ({
    ...body,
    model,
    ...streamField(body, isStream),
    ...(outputTokens === null ? {} : { max_output_tokens: outputTokens }),
  }),
  createReader,
  errorBody: openAiError,
  errorEvent: ({ code, message }) =>
    `event: error\ndata: ${JSON.stringify({ type: 'error', code, message, param: null, sequence_number: 0 })}\n\n`,
};

const stops = { max_output_tokens: 'length', content_filter: 'refusal', refusal: 'refusal' } as const;

function createReader(body: Fields): AnswerReader {
  const meter = createTextMeter();
  const stop = createStops(body, stops);
  let usage: Usage | undefined;

  function take(said: Fields | undefined): void {
    if (said === undefined) return;
    const details = fieldsOf(said['input_tokens_details']) ?? {};
    const cachedTokens = countOf(details['cached_tokens']) ?? 0;
    const cacheWriteTokens = countOf(details['cache_write_tokens']) ?? 0;
    usage = {
      inputTokens: rest(countOf(said['input_tokens']) ?? 0, cachedTokens, cacheWriteTokens),
      outputTokens: countOf(said['output_tokens']) ?? 0,
      cachedTokens,
      cacheWriteTokens,
      reasoningTokens: countOf(fieldsOf(said['output_tokens_details'])?.['reasoning_tokens']) ?? 0,
    };
  }

  /** A refusal stands in a message in the place of its text. */
  function heed(item: unknown): void {
    for (const part of listOf(fieldsOf(item)?.['content'])) stop.add(fieldsOf(part)?.['type']);
  }

  function event(said: Fields): Seen {
    const response = fieldsOf(said['response']) ?? {};
    switch (said['type']) {
      case 'error':
        return refused(fieldsOf(said['error']) ?? said);
      case 'response.failed':
        take(fieldsOf(response['usage']));
        return refused(response['error']);
      case 'response.completed':
      case 'response.incomplete':
        take(fieldsOf(response['usage']));
        stop.add(fieldsOf(response['incomplete_details'])?.['reason']);
        return terminal;
      case 'response.output_item.done':
        heed(said['item']);
        return content;
      default:
        meter.add(textOf(said['delta']));
        return content;
    }
  }

  return {
    event: ({ data }) => readEvent(data, event),
    whole(answer) {
      if (!isJsonObject(answer)) return malformed('its answer is not a response');
      if (isGiven(answer['error'])) return refused(answer['error']);
      take(fieldsOf(answer['usage']));
      stop.add(fieldsOf(answer['incomplete_details'])?.['reason']);
      for (const item of listOf(answer['output'])) {
        meter.add(item);
        heed(item);
      }
      return answer['status'] === 'completed' || answer['status'] === 'incomplete'
        ? terminal
        : malformed('its answer is not a whole response');
    },
    usage: () => usage,
    tokensSeen: meter.tokens,
    short: stop.short,
  };
}
