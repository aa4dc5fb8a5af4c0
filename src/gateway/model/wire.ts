/** A way of asking a model over HTTP. The gateway never translates one into another. */
export type Wire = 'anthropic' | 'chat' | 'responses' | 'gemini';

/** Whose API it is that a provider speaks, and whose table of prices holds for it. */
export type ProviderKind = 'anthropic' | 'openai' | 'gemini' | 'openai-compatible';

export const wiresOfKind: Readonly<Record<ProviderKind, readonly Wire[]>> = {
  anthropic: ['anthropic'],
  openai: ['chat', 'responses'],
  gemini: ['gemini'],
  'openai-compatible': ['chat', 'responses'],
};

/** As people say it. */
export const wireNames: Readonly<Record<Wire, string>> = {
  anthropic: 'Anthropic Messages',
  chat: 'OpenAI Chat Completions',
  responses: 'OpenAI Responses',
  gemini: 'Gemini generateContent',
};
