import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { LanguageModel } from 'ai';
import { ownWireOf } from '../../../contract/models/catalog.ts';

export interface Gateway {
  /** Such as http://127.0.0.1:7711/gateway. */
  readonly url: string;
  readonly token: string;
}

/** The gateway tries again where that helps; this is for the way to it. */
export const retriesMax = 1;
export const callMsMax = 900_000;

/** As every program is told of it that has one. */
export function gatewayOfRun(): Gateway {
  return { url: required('SKEP_GATEWAY_URL'), token: required('SKEP_RUN_TOKEN') };
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} must be set`);
  return value;
}

/** The wire is chosen by the name: the gateway speaks them all, and translates none. */
export function languageModel({ url, token: apiKey }: Gateway, model: string): LanguageModel {
  const baseURL = `${url}/v1`;
  const wire = ownWireOf(model);
  if (wire === 'anthropic') return createAnthropic({ baseURL, apiKey })(model);
  // A name with a slash is taken for the whole path of a model.
  if (wire === 'gemini') return createGoogleGenerativeAI({ baseURL: `${baseURL}beta`, apiKey })(`models/${model}`);
  const settings = { name: 'skep', baseURL, apiKey, supportsStructuredOutputs: true, includeUsage: true };
  return createOpenAICompatible(settings)(model);
}

/** So many characters between two lines of progress. */
const stride = 4_000;

/** Reads an answer as it comes, and tells how it goes, a line at a time. Returns how long its text is. */
export async function listen(parts: AsyncIterable<{ readonly type: string }>, say: (line: string) => void): Promise<number> {
  let length = 0;
  let told = 0;
  for await (const part of parts) {
    if (part.type !== 'text-delta' || !('text' in part) || typeof part.text !== 'string') continue;
    length += part.text.length;
    if (length - told < stride) continue;
    told = length;
    say(`${length} characters so far`);
  }
  return length;
}
