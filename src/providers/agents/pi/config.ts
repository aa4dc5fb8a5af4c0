interface Given {
  readonly model: string;
  readonly gatewayUrl: string;
}

/** Names the gateway to pi. The key is the name of a variable, which pi looks up. */
export function modelsJson({ model, gatewayUrl }: Given): string {
  const { api, baseUrl } = wireOf(model, gatewayUrl);
  return JSON.stringify({
    providers: {
      [piProvider]: {
        baseUrl,
        api,
        apiKey: 'SKEP_RUN_TOKEN',
        ...(api === 'openai-completions' ? { compat } : {}),
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

/** Models are asked on the wire of their provider, since the gateway translates none; all others on the one that most speak. */
function wireOf(model: string, gatewayUrl: string): { readonly api: string; readonly baseUrl: string } {
  if (/^(?:anthropic\/|claude-)/.test(model)) return { api: 'anthropic-messages', baseUrl: gatewayUrl };
  if (/^(?:gemini\/|gemini-)/.test(model)) return { api: 'google-generative-ai', baseUrl: `${gatewayUrl}/v1beta` };
  if (/^(?:openai\/|gpt-|o\d|codex-)/.test(model)) return { api: 'openai-responses', baseUrl: `${gatewayUrl}/v1` };
  return { api: 'openai-completions', baseUrl: `${gatewayUrl}/v1` };
}

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
