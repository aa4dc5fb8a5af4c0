import { countOf, type Fields, fieldsOf, isGiven, limitOf, listOf, textOf } from '../model/json.ts';
import type { Usage } from '../model/usage.ts';
import { type AnswerReader, content, hidden, outputTokensMin, type Seen, terminal, type WireFormat } from './format.ts';
import { refuseFetched } from './hosted.ts';
import { openAiError, refuseHosted, refuseTier } from './openai.ts';
import {
  createStops,
  createTextMeter,
  isJsonObject,
  malformed,
  readEvent,
  refuseNoCount,
  refused,
  rest,
  streamField,
} from './reading.ts';

/** OpenAI Chat Completions, as many others speak it too. */
export const chat: WireFormat = {
  wire: 'chat',
  overloadedStatus: 503,
  readRequest(body) {
    return {
      model: textOf(body['model']),
      isStream: body['stream'] === true,
      outputTokens: limitOf(body['max_completion_tokens'] ?? body['max_tokens']),
      choices: Math.max(1, countOf(body['n']) ?? 1),
      outputTokensMin,
    };
  },
  refuse: body =>
    refuseTier(body) ??
    refuseHosted(body) ??
    refuseNoCount(body['n'], 'n') ??
    refuseTwoLimits(body) ??
    refuseFetched(body['messages']) ??
    (listOf(body['modalities']).includes('audio')
      ? 'Spoken answers have a price of their own that the gateway does not count'
      : undefined),
  prepare(body, { model, outputTokens, isStream }) {
    const limit = outputTokens === null ? {} : { [limitField(body, model)]: outputTokens };
    // Without it a stream does not say what it used.
    const options = isStream ? { stream_options: { ...fieldsOf(body['stream_options']), include_usage: true } } : {};
    return { ...body, model, ...streamField(body, isStream), ...limit, ...options };
  },
  createReader,
  errorBody: openAiError,
  errorEvent: problem => `data: ${JSON.stringify(openAiError(problem))}\n\n`,
};

/** Which of them holds is the server's to choose, and it may be the larger one. */
function refuseTwoLimits(body: Fields): string | undefined {
  return isGiven(body['max_tokens']) && isGiven(body['max_completion_tokens'])
    ? 'max_tokens and max_completion_tokens are two limits of the same: say one'
    : undefined;
}

/** OpenAI's newer models refuse the old name; other servers may not know the new one. */
function limitField(body: Fields, model: string): string {
  if (isGiven(body['max_completion_tokens'])) return 'max_completion_tokens';
  if (isGiven(body['max_tokens'])) return 'max_tokens';
  return /(^|\/)(gpt-|o\d|codex-|chatgpt-)/.test(model) ? 'max_completion_tokens' : 'max_tokens';
}

const stops = { length: 'length', content_filter: 'refusal' } as const;

function createReader(body: Fields): AnswerReader {
  const meter = createTextMeter();
  const stop = createStops(body, stops);
  const wantsUsage = fieldsOf(body['stream_options'])?.['include_usage'] === true;
  let usage: Usage | undefined;
  let isFinished = false;

  function take(said: Fields | undefined): void {
    if (said === undefined) return;
    const details = fieldsOf(said['prompt_tokens_details']) ?? {};
    const cachedTokens = countOf(details['cached_tokens']) ?? 0;
    const cacheWriteTokens = countOf(details['cache_write_tokens']) ?? 0;
    usage = {
      inputTokens: rest(countOf(said['prompt_tokens']) ?? 0, cachedTokens, cacheWriteTokens),
      outputTokens: countOf(said['completion_tokens']) ?? 0,
      cachedTokens,
      cacheWriteTokens,
      reasoningTokens: countOf(fieldsOf(said['completion_tokens_details'])?.['reasoning_tokens']) ?? 0,
    };
  }

  function chunk(said: Fields): Seen {
    if (isGiven(said['error'])) return refused(said['error']);
    take(fieldsOf(said['usage']));
    const choices = listOf(said['choices']);
    for (const choice of choices) {
      meterMessage(fieldsOf(choice)?.['delta']);
      const reason = fieldsOf(choice)?.['finish_reason'];
      stop.add(reason);
      if (isGiven(reason)) isFinished = true;
    }
    return choices.length === 0 && fieldsOf(said['usage']) !== undefined && !wantsUsage ? hidden : content;
  }

  function meterMessage(message: unknown): void {
    const fields = fieldsOf(message) ?? {};
    for (const key of ['content', 'reasoning_content', 'reasoning', 'refusal', 'tool_calls']) meter.add(fields[key]);
    if (isGiven(fields['refusal'])) stop.add('content_filter');
  }

  return {
    event({ data }) {
      if (data === '[DONE]') return isFinished ? terminal : malformed('its answer ended without a reason');
      return readEvent(data, chunk);
    },
    whole(answer) {
      if (!isJsonObject(answer)) return malformed('its answer is not a completion');
      if (isGiven(answer['error'])) return refused(answer['error']);
      take(fieldsOf(answer['usage']));
      const choices = listOf(answer['choices']).map(choice => fieldsOf(choice) ?? {});
      for (const choice of choices) {
        meterMessage(choice['message']);
        stop.add(choice['finish_reason']);
      }
      return choices.length > 0 && choices.every(choice => isGiven(choice['finish_reason']))
        ? terminal
        : malformed('its answer is not a whole completion');
    },
    usage: () => usage,
    tokensSeen: meter.tokens,
    short: stop.short,
  };
}
