import type { UpstreamCall } from '../../../gateway/upstream.ts';

export interface Endpoint {
  readonly kind: 'anthropic' | 'openai' | 'gemini' | 'openai-compatible';
  /** With the version in it, such as https://api.openai.com/v1. */
  readonly baseUrl: string;
  /** Null where it is asked without one. */
  readonly key: string | null;
}

type Kind = Endpoint['kind'];

export function pathOf(kind: Kind, { wire, operation, model, isStream }: UpstreamCall): string {
  if (kind === 'gemini') {
    const verb = operation === 'count' ? 'countTokens' : isStream ? 'streamGenerateContent?alt=sse' : 'generateContent';
    return `/models/${encodeURIComponent(model)}:${verb}`;
  }
  if (kind === 'anthropic') return operation === 'count' ? '/messages/count_tokens' : '/messages';
  return wire === 'responses' ? '/responses' : '/chat/completions';
}

/** Nothing of the client's but what the call lets through, and nothing that says on whose behalf it is. */
export function headersOf({ kind, key }: Endpoint, call: UpstreamCall): Record<string, string> {
  return {
    ...(kind === 'anthropic' ? { 'anthropic-version': '2023-06-01' } : {}),
    ...call.headers,
    'content-type': 'application/json',
    accept: call.isStream ? 'text/event-stream' : 'application/json',
    // What is read as it comes must not be packed.
    'accept-encoding': 'identity',
    'user-agent': 'skep',
    ...(key === null ? {} : keyHeader(kind, key)),
  };
}

function keyHeader(kind: Kind, key: string): Record<string, string> {
  if (kind === 'anthropic') return { 'x-api-key': key };
  if (kind === 'gemini') return { 'x-goog-api-key': key };
  return { authorization: `Bearer ${key}` };
}
