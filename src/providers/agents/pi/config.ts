import { wireOf } from '../wire.ts';

interface Given {
  readonly model: string;
  readonly gatewayUrl: string;
}

/** Names the gateway to pi. The key is the name of a variable, which pi looks up. */
export function modelsJson({ model, gatewayUrl }: Given): string {
  const wire = wireOf(model);
  const { api, base } = apis[wire];
  return JSON.stringify({
    providers: {
      [piProvider]: {
        baseUrl: `${gatewayUrl}${base}`,
        api,
        apiKey: 'SKEP_RUN_TOKEN',
        ...(wire === 'chat' ? { compat } : {}),
        models: [{ id: model }],
      },
    },
  });
}

export const piProvider = 'skep';

/** Of all that speak Chat Completions, what the least able one takes. */
const compat = {
  supportsDeveloperRole: false,
  supportsReasoningEffort: false,
  supportsStore: false,
  maxTokensField: 'max_tokens',
};

/** How pi calls each wire, and what it puts in front of its paths. */
const apis = {
  anthropic: { api: 'anthropic-messages', base: '' },
  gemini: { api: 'google-generative-ai', base: '/v1beta' },
  responses: { api: 'openai-responses', base: '/v1' },
  chat: { api: 'openai-completions', base: '/v1' },
} as const;

export const settingsJson = JSON.stringify({
  enableInstallTelemetry: false,
  // The gateway tries again by itself, and knows better when.
  retry: { enabled: true, maxRetries: 1, baseDelayMs: 1_000, provider: { maxRetries: 0, timeoutMs: 3_600_000 } },
});

/**
 * Pi takes settings, a system prompt and packages from the folder `.pi` of the repository, and no switch turns that off. The name of
 * the folder is its package's to say: this one says another, which no repository can have foreseen.
 */
export function packageJson({ version, runId }: { readonly version: string; readonly runId: string }): string {
  return JSON.stringify({ name: '@earendil-works/pi-coding-agent', version, piConfig: { configDir: `.pi-${runId}` } });
}
