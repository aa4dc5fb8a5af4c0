import { basename } from 'node:path';
import type { AgentSettings } from '../../../worker/agent.ts';
import { workPath } from '../../../worker/sandbox.ts';
import type { InstalledKind } from '../install/packages.ts';
import type { AcpAgent, Given } from './agent.ts';
import { opencode } from './opencode.ts';

/** Those that Skep installs. */
export const acpKinds = ['gemini', 'opencode', 'qwen'] as const satisfies readonly InstalledKind[];
export type AcpKind = (typeof acpKinds)[number];
export type AcpSettings = Extract<AgentSettings, { kind: AcpKind | 'acp' }>;

/** The repository is not one whose settings count. */
const distrust = JSON.stringify({ [workPath]: 'DO_NOT_TRUST' });

/**
 * Gemini CLI. It does not trust the folder, and so reads neither settings nor `.env` of the repository. What it notes of a folder it keeps below
 * that one's name, the conversations in a folder of their own.
 */
const gemini: AcpAgent = {
  args: ({ model }) => ['--acp', '--model', model],
  env: ({ gatewayUrl, token }) => ({
    GEMINI_API_KEY: token,
    GOOGLE_GEMINI_BASE_URL: gatewayUrl,
    // By itself it starts itself again, and then a signal ends the first one only.
    GEMINI_CLI_NO_RELAUNCH: 'true',
  }),
  home: () => [
    {
      path: '.gemini/settings.json',
      content: JSON.stringify({
        security: { auth: { selectedType: 'gemini-api-key' }, folderTrust: { enabled: true } },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
        general: {
          enableAutoUpdate: false,
          enableAutoUpdateNotification: false,
          maxAttempts: 2,
          checkpointing: { enabled: false },
          // At its start it would remove whatever has the id of a conversation with nothing in it, as one is that it has begun to go on with another.
          sessionRetention: { enabled: false },
        },
        skills: { enabled: false },
        hooksConfig: { enabled: false },
        // shell: no call of ours, the name of a setting.
        tools: { shell: { enableInteractiveShell: false } },
      }),
    },
    { path: '.gemini/trustedFolders.json', content: distrust },
    { path: '.gemini/policies/skep.toml', content: geminiPolicy },
  ],
  conversations: `.gemini/tmp/${basename(workPath)}/chats`,
  byMinute: true,
};

/** It is in a sandbox already. What asks the network is not offered. */
const geminiPolicy = `[[rule]]
toolName = ["google_web_search", "web_fetch"]
decision = "deny"
priority = 999
`;

/** Qwen Code asks over Chat Completions. */
const qwen: AcpAgent = {
  args: () => ['--acp'],
  env: ({ model, gatewayUrl, token }) => ({
    OPENAI_API_KEY: token,
    OPENAI_BASE_URL: `${gatewayUrl}/v1`,
    OPENAI_MODEL: model,
    QWEN_CODE_NO_RELAUNCH: 'true',
  }),
  home: () => [
    {
      path: '.qwen/settings.json',
      content: JSON.stringify({
        security: { auth: { selectedType: 'openai' }, folderTrust: { enabled: true } },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
        general: { enableAutoUpdate: false, checkpointing: { enabled: false } },
        // The gateway tries again by itself. Seven times it asks whatever it is told; each of them would be four.
        model: { generationConfig: { maxRetries: 0 } },
        // Once its turn is over it would ask the model what to remember, and what a person may want to say next.
        memory: { enableManagedAutoMemory: false, enableManagedAutoDream: false },
        ui: { enableFollowupSuggestions: false },
        // Skills and agents of the repository come by them, whatever is trusted.
        skills: { disabledLevels: ['project', 'user', 'extension', 'bundled'] },
        tools: { exclude: ['skill', 'agent', 'web_fetch', 'monitor'] },
      }),
    },
    { path: '.qwen/trustedFolders.json', content: distrust },
  ],
  conversations: '.qwen/projects',
};

/**
 * Any other: its command, and what it is told beside, are the project's. It finds the gateway by the names that most look for, and by
 * those of Skep's own.
 */
function other({ env = {}, home = {}, conversations }: Extract<AcpSettings, { kind: 'acp' }>): AcpAgent {
  return {
    args: () => [],
    env: given => ({ ...usual(given), ...filled(env, given) }),
    home: given => Object.entries(filled(home, given)).map(([path, content]) => ({ path, content })),
    ...(conversations === undefined ? {} : { conversations }),
  };
}

function usual({ model, gatewayUrl, token }: Given): Readonly<Record<string, string>> {
  return {
    SKEP_MODEL: model,
    ANTHROPIC_BASE_URL: gatewayUrl,
    ANTHROPIC_API_KEY: token,
    OPENAI_BASE_URL: `${gatewayUrl}/v1`,
    OPENAI_API_KEY: token,
    GOOGLE_GEMINI_BASE_URL: gatewayUrl,
    GEMINI_API_KEY: token,
  };
}

const placeholder = /\$\{(SKEP_GATEWAY_URL|SKEP_RUN_TOKEN|SKEP_MODEL)\}/g;

/** Each text with what its placeholders stand for. */
function filled(texts: Readonly<Record<string, string>>, { model, gatewayUrl, token }: Given): Readonly<Record<string, string>> {
  const values: Readonly<Record<string, string>> = { SKEP_GATEWAY_URL: gatewayUrl, SKEP_RUN_TOKEN: token, SKEP_MODEL: model };
  const fill = (text: string): string => text.replace(placeholder, (_, name: string) => values[name] ?? '');
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, fill(text)]));
}

const known: Readonly<Record<AcpKind, AcpAgent>> = { gemini, opencode, qwen };

export function acpAgentOf(settings: AcpSettings): AcpAgent {
  return settings.kind === 'acp' ? other(settings) : known[settings.kind];
}
