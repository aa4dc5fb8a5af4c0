interface Given {
  readonly model: string;
  readonly gatewayUrl: string;
}

/**
 * Codex's config.toml for one run. It is the only one that counts: that of the repository is not read, as the project is untrusted
 * whatever a person may have said elsewhere. Codex's own sandbox is off, since it is inside ours, and so is what would ask the
 * network or run programs of others.
 */
export function configToml({ model, gatewayUrl }: Given): string {
  return `model = ${quoted(model)}
model_provider = "skep"
web_search = "disabled"
check_for_update_on_startup = false
approval_policy = "never"
sandbox_mode = "danger-full-access"

[model_providers.skep]
name = "Skep"
base_url = ${quoted(`${gatewayUrl}/v1`)}
env_key = "SKEP_RUN_TOKEN"
wire_api = "responses"
# The gateway tries again by itself, and knows better when. The one is multiplied by the other.
request_max_retries = 0
stream_max_retries = 1
stream_idle_timeout_ms = 600000

[mcp_servers.skep]
url = ${quoted(`${gatewayUrl}/mcp`)}
bearer_token_env_var = "SKEP_RUN_TOKEN"
required = true
startup_timeout_sec = 30
# A person may take a while to answer.
tool_timeout_sec = 86400

[projects."/work"]
trust_level = "untrusted"

# What the agent's commands need to report.
[shell_environment_policy]
inherit = "all"
ignore_default_excludes = true

[analytics]
enabled = false

[feedback]
enabled = false

[history]
persistence = "none"

# Those of the repository, below .agents/skills.
[skills]
include_instructions = false

[skills.bundled]
enabled = false

[agents]
enabled = false

[features]
${off.map(feature => `${feature} = false`).join('\n')}
`;
}

const off = [
  ...['apps', 'browser_use', 'computer_use', 'goals', 'hooks', 'image_generation', 'in_app_browser', 'memories', 'plugins'],
  ...['remote_plugin', 'shell_snapshot', 'skill_search', 'tool_suggest', 'unbounded_connection_retries'],
];

/** A basic string of TOML is one of JSON. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
