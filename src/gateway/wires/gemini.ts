import { countOf, type Fields, fieldsOf, isGiven, listOf } from '../model/json.ts';
import type { Usage } from '../model/usage.ts';
import { type AnswerReader, content, outputTokensMin, type Seen, terminal, type WireFormat } from './format.ts';
import { createTextMeter, isJsonObject, malformed, readEvent, refused, rest } from './reading.ts';

/** Gemini generateContent; its path says the model, and whether the answer streams. */
export const gemini: WireFormat = {
  wire: 'gemini',
  overloadedStatus: 503,
  readRequest(body) {
    const settings = configOf(body);
    const thinking = fieldsOf(settings['thinkingConfig']) ?? {};
    return {
      model: undefined,
      isStream: false,
      outputTokens: countOf(settings['maxOutputTokens']) ?? null,
      choices: Math.max(1, countOf(settings['candidateCount']) ?? 1),
      outputTokensMin: (countOf(thinking['thinkingBudget']) ?? 0) + outputTokensMin,
    };
  },
  refuse: body =>
    !isGiven(body['cachedContent'])
      ? undefined
      : 'The gateway cannot count what "cachedContent" stands for: send the whole contents',
  prepare(body, { outputTokens }) {
    // The API takes both spellings; a limit in the other one would stand beside ours.
    const { generation_config: _, ...others } = body;
    if (outputTokens === null) return body;
    const { max_output_tokens: __, ...settings } = configOf(body);
    return { ...others, generationConfig: { ...settings, maxOutputTokens: outputTokens } };
  },
  createReader,
  errorBody: ({ status, code, message }) => ({
    error: { code: status, message, status: statuses[status] ?? 'INTERNAL', details: [{ reason: code }] },
  }),
  errorEvent: problem => `data: ${JSON.stringify(gemini.errorBody(problem))}\n\n`,
};

function configOf(body: Fields): Fields {
  const settings = { ...fieldsOf(body['generation_config']), ...fieldsOf(body['generationConfig']) };
  const limit = settings['maxOutputTokens'] ?? settings['max_output_tokens'];
  return limit === undefined ? settings : { ...settings, maxOutputTokens: limit };
}

const statuses: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  402: 'FAILED_PRECONDITION',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  413: 'INVALID_ARGUMENT',
  422: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

function createReader(): AnswerReader {
  const meter = createTextMeter();
  let usage: Usage | undefined;

  function take(said: Fields | undefined): void {
    if (said === undefined) return;
    const count = (field: string) => countOf(said[field]) ?? 0;
    const cachedTokens = count('cachedContentTokenCount');
    usage = {
      inputTokens: rest(count('promptTokenCount') + count('toolUsePromptTokenCount'), cachedTokens),
      outputTokens: count('candidatesTokenCount') + count('thoughtsTokenCount'),
      cachedTokens,
      cacheWriteTokens: 0,
      reasoningTokens: count('thoughtsTokenCount'),
    };
  }

  function chunk(said: Fields): Seen {
    if (isGiven(said['error'])) return refused(said['error']);
    take(fieldsOf(said['usageMetadata']));
    const candidates = listOf(said['candidates']).map(candidate => fieldsOf(candidate) ?? {});
    for (const candidate of candidates) {
      for (const part of listOf(fieldsOf(candidate['content'])?.['parts'])) {
        for (const field of Object.values(fieldsOf(part) ?? {})) meter.add(field);
      }
    }
    const isBlocked = isGiven(fieldsOf(said['promptFeedback'])?.['blockReason']);
    return isBlocked || candidates.some(candidate => isGiven(candidate['finishReason'])) ? terminal : content;
  }

  return {
    event: ({ data }) => readEvent(data, chunk),
    whole(answer) {
      if (!isJsonObject(answer)) return malformed('its answer is not a response');
      const seen = chunk(answer);
      return seen.kind === 'content' ? malformed('its answer is not a whole response') : seen;
    },
    usage: () => usage,
    tokensSeen: meter.tokens,
  };
}
