import { homePath } from '../../../worker/sandbox.ts';

interface Given {
  readonly model: string;
  readonly gatewayUrl: string;
  readonly token: string;
}

/** Where Claude Code keeps its settings and conversations, in the home of the run. */
export const claudeHome = '.claude';

/**
 * What Claude Code is told by its environment. Every model it may ask for by a name of its own is the project's: it has a small one
 * for titles and summaries, which the gateway need not have.
 */
export function environment({ model, gatewayUrl, token }: Given): Readonly<Record<string, string>> {
  return {
    ANTHROPIC_BASE_URL: gatewayUrl,
    ANTHROPIC_AUTH_TOKEN: token,
    ANTHROPIC_MODEL: model,
    ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
    ANTHROPIC_DEFAULT_SONNET_MODEL: model,
    ANTHROPIC_DEFAULT_OPUS_MODEL: model,
    CLAUDE_CODE_SUBAGENT_MODEL: model,
    CLAUDE_CONFIG_DIR: `${homePath}/${claudeHome}`,
    // It refuses to work without questions as root, unless it is told that it is in a sandbox.
    IS_SANDBOX: '1',
    // The gateway tries again by itself, and knows better when.
    CLAUDE_CODE_MAX_RETRIES: '1',
    API_TIMEOUT_MS: '3600000',
    MCP_TIMEOUT: '30000',
    // A person may take a while to answer.
    MCP_TOOL_TIMEOUT: '86400000',
    ...off,
  };
}

const off = Object.fromEntries(
  [
    ...['CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC', 'CLAUDE_CODE_DISABLE_TERMINAL_TITLE', 'CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY'],
    ...['CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS', 'CLAUDE_CODE_DISABLE_CRON', 'CLAUDE_CODE_DISABLE_WORKFLOWS'],
    ...['CLAUDE_CODE_DISABLE_BACKGROUND_TASKS', 'CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS'],
    ...['DISABLE_TELEMETRY', 'DISABLE_ERROR_REPORTING', 'DISABLE_AUTOUPDATER', 'DISABLE_BUG_COMMAND', 'DISABLE_COST_WARNINGS'],
  ].map(name => [name, '1']),
);

export const settingsJson = JSON.stringify({
  disableAllHooks: true,
  // What is committed is committed by Skep, and says who made it.
  includeCoAuthoredBy: false,
  autoMemoryEnabled: false,
});

/** The gateway's tools, by which it reports. The token is the name of a variable, which Claude Code looks up. */
export function mcpJson(gatewayUrl: string): string {
  const skep = {
    type: 'http',
    url: `${gatewayUrl}/mcp`,
    headers: { Authorization: 'Bearer ${SKEP_RUN_TOKEN}' },
  };
  return JSON.stringify({ mcpServers: { skep } });
}
