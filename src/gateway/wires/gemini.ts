import { countOf, type Fields, fieldsOf, isGiven, limitOf, listOf, textOf } from '../model/json.ts';
import type { Usage } from '../model/usage.ts';
import { type AnswerReader, content, outputTokensMin, type Seen, type Short, terminal, type WireFormat } from './format.ts';
import { refuseFetched, refuseTools } from './hosted.ts';
import { createStops, createTextMeter, isJsonObject, malformed, readEvent, refuseNoCount, refused, rest } from './reading.ts';

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
      outputTokens: limitOf(settings['maxOutputTokens']),
      choices: Math.max(1, countOf(settings['candidateCount']) ?? 1),
      outputTokensMin: (countOf(thinking['thinkingBudget'] ?? thinking['thinking_budget']) ?? 0) + outputTokensMin,
    };
  },
  refuse: body =>
    isGiven(body['cachedContent'] ?? body['cached_content'])
      ? 'The gateway cannot count what "cachedContent" stands for: send the whole contents'
      : (refuseTools(body['tools'], tool => Object.keys(tool).find(name => !ownTools.has(name))) ??
        refuseNoCount(configOf(body)['candidateCount'], 'candidateCount') ??
        refuseTier(body['serviceTier'] ?? body['service_tier']) ??
        refuseSound(body) ??
        refuseFetched(body['contents'], body['systemInstruction'], body['system_instruction'])),
  prepare(body, { outputTokens }) {
    // The API takes both spellings, and a model in the body beside that of the path: neither may stand beside ours.
    const { generation_config: _, generationConfig: __, model: ___, ...others } = body;
    const settings = { ...configOf(body), ...(outputTokens === null ? {} : { maxOutputTokens: outputTokens }) };
    return Object.keys(settings).length === 0 ? others : { ...others, generationConfig: settings };
  },
  createReader,
  errorBody: ({ status, code, message }) => ({
    error: { code: status, message, status: statuses[status] ?? 'INTERNAL', details: [{ reason: code }] },
  }),
  errorEvent: problem => `data: ${JSON.stringify(gemini.errorBody(problem))}\n\n`,
};

function configOf(body: Fields): Fields {
  const settings: Record<string, unknown> = { ...fieldsOf(body['generation_config']), ...fieldsOf(body['generationConfig']) };
  for (const [name, other] of spellings) {
    const value = settings[name] ?? settings[other];
    delete settings[other];
    if (value !== undefined) settings[name] = value;
  }
  return settings;
}

const spellings = [
  ['maxOutputTokens', 'max_output_tokens'],
  ['candidateCount', 'candidate_count'],
  ['thinkingConfig', 'thinking_config'],
] as const;

/** All others are Google's own: searches, code, addresses, files. */
const ownTools: ReadonlySet<string> = new Set(['functionDeclarations', 'function_declarations']);

function refuseTier(tier: unknown): string | undefined {
  return isGiven(tier) && !/^(?:standard|flex|unspecified)$/i.test(String(tier))
    ? 'serviceTier has a price of its own that the gateway does not count: leave it out'
    : undefined;
}

/** A minute of it is few bytes and many tokens, at another price than that of words. */
function refuseSound(body: Fields): string | undefined {
  const parts = listOf(body['contents']).flatMap(content => listOf(fieldsOf(content)?.['parts']).map(fieldsOf));
  const types = parts.map(part => {
    const data = fieldsOf(part?.['inlineData'] ?? part?.['inline_data']);
    return textOf(data?.['mimeType'] ?? data?.['mime_type']) ?? '';
  });
  return types.some(type => /^\s*(audio|video)\//i.test(type))
    ? 'Sound and film have a price of their own that the gateway does not count: leave them out'
    : undefined;
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

const stops: Readonly<Record<string, Short>> = {
  MAX_TOKENS: 'length',
  SAFETY: 'refusal',
  RECITATION: 'refusal',
  LANGUAGE: 'refusal',
  BLOCKLIST: 'refusal',
  PROHIBITED_CONTENT: 'refusal',
  SPII: 'refusal',
};

function createReader(body: Fields): AnswerReader {
  const meter = createTextMeter();
  const stop = createStops(body, stops);
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
      stop.add(candidate['finishReason']);
      for (const part of listOf(fieldsOf(candidate['content'])?.['parts'])) {
        for (const field of Object.values(fieldsOf(part) ?? {})) meter.add(field);
      }
    }
    const isBlocked = isGiven(fieldsOf(said['promptFeedback'])?.['blockReason']);
    if (isBlocked) stop.add('SAFETY');
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
    short: stop.short,
  };
}
