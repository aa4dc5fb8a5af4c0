import { wireOf } from '../wire.ts';
import type { AcpAgent, Given } from './agent.ts';

const folder = '.config/opencode';

/**
 * opencode. It is told to look for nothing in the repository but AGENTS.md, and to fetch nothing: neither lists of models nor programs
 * for languages nor a newer version of itself.
 */
export const opencode: AcpAgent = {
  args: () => ['acp'],
  env: () => ({
    ...{ OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', OPENCODE_DISABLE_LSP_DOWNLOAD: '1' },
    ...{ OPENCODE_DISABLE_PROJECT_CONFIG: '1', OPENCODE_DISABLE_CLAUDE_CODE: '1', OPENCODE_DISABLE_EXTERNAL_SKILLS: '1' },
    ...{ OPENCODE_DISABLE_DEFAULT_PLUGINS: '1', OPENCODE_PURE: '1', OPENCODE_DISABLE_SHARE: '1' },
  }),
  home: given => [{ path: `${folder}/opencode.json`, content: settings(given) }, ...pluginThatIsThere],
  conversations: '.local/share/opencode',
};

const plugin = '@opencode-ai/plugin';

/**
 * At each start it would install the package that plugins are written with, and there is no switch for that. It does not where its
 * folder has packages, and a lockfile in which this one stands.
 */
const pluginThatIsThere: ReturnType<AcpAgent['home']> = [
  { path: `${folder}/node_modules/.package-lock.json`, content: '{}' },
  { path: `${folder}/package-lock.json`, content: JSON.stringify({ packages: { '': { dependencies: { [plugin]: '*' } } } }) },
];

const provider = 'skep';
/** The libraries that it brings for each wire. */
const libraries = {
  anthropic: { npm: '@ai-sdk/anthropic', base: '/v1' },
  gemini: { npm: '@ai-sdk/google', base: '/v1beta' },
  responses: { npm: '@ai-sdk/openai', base: '/v1' },
  chat: { npm: '@ai-sdk/openai-compatible', base: '/v1' },
} as const;

function settings({ model, gatewayUrl }: Given): string {
  const { npm, base } = libraries[wireOf(model)];
  const options = { baseURL: `${gatewayUrl}${base}`, apiKey: '{env:SKEP_RUN_TOKEN}', timeout: false };
  return JSON.stringify({
    ...{ model: `${provider}/${model}`, small_model: `${provider}/${model}`, enabled_providers: [provider] },
    provider: { [provider]: { npm, options, models: { [model]: { name: model, tool_call: true } } } },
    ...{ share: 'disabled', autoupdate: false, snapshot: false, lsp: false, formatter: false, plugin: [] },
    instructions: ['/work/AGENTS.md'],
    // Who names a conversation would ask the model once more.
    agent: { title: { disable: true } },
    // It is in a sandbox already. What asks the network is not offered.
    permission: { '*': 'allow', webfetch: 'deny', websearch: 'deny', question: 'deny' },
  });
}
