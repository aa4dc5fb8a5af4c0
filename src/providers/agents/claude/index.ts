import type { Agent, AgentContext, AgentOutcome } from '../../../worker/agent.ts';
import { homePath, keptPath } from '../../../worker/sandbox.ts';
import type { SandboxExit } from '../../../worker/sandbox.ts';
import type { Installs } from '../install/installs.ts';
import { installedInside } from '../install/packages.ts';
import { jsonLines } from '../json-lines.ts';
import { beginsAnew, outcomeOf } from '../outcome.ts';
import { claudeHome, environment, mcpJson, settingsJson } from './config.ts';
import type { Turn } from '../turn.ts';
import { createTurn } from './events.ts';

/** Events are read and dropped, so this bounds only what an agent that has gone mad may send. */
const eventBytesMax = 4 * 2 ** 30;

/**
 * Anthropic's Claude Code, one `claude -p` a run, or one that goes on with the conversation of the run before. It reports by MCP. The
 * prompt comes on stdin and the run token by the environment, so that neither stands in a list of processes.
 */
export function createClaudeAgent(installs: Installs): Agent {
  return {
    kind: 'claude',
    isInstalled: async () => installs.find('claude') !== undefined,
    needs: async () => installs.needs('claude'),
    async run(context) {
      const numbers = context.kept.flatMap(path => sessionNumber(path) ?? []);
      const last = Math.max(0, ...numbers);
      const next = { session: last + 1, isNew: true };
      if (last === 0) return judge(await runOnce(context, next), context);
      const once = await runOnce(context, { session: last, isNew: false });
      // It does not know the conversation or can't read it, or the model does not take it any more: then all is told anew.
      if (once.turn.hasWorked || once.exit.reason !== 'exited') return judge(once, context);
      context.onUpdate(beginsAnew);
      return judge(await runOnce(context, next), context);
    },
  };
}

interface Once {
  readonly turn: Turn;
  readonly exit: SandboxExit;
}

interface Session {
  readonly session: number;
  readonly isNew: boolean;
}

async function runOnce(context: AgentContext, { session, isNew }: Session): Promise<Once> {
  const { settings, prompt, promptAgain, env, gatewayUrl, onOutput, onUpdate, start } = context;
  if (settings.kind !== 'claude') throw new Error(`the settings are those of ${settings.kind}`);
  const { argv, path } = installedInside('claude', context.node);
  const turn = createTurn();
  const read = jsonLines({
    onObject: event => turn.read(event).forEach(onUpdate),
    onText: line => onOutput(Buffer.from(`${line}\n`)),
  });
  const { model } = settings;
  const exit = await start({
    argv: [...argv, ...flags, '--model', model, isNew ? '--session-id' : '--resume', sessionId(session)],
    env: { ...env, ...environment({ model, gatewayUrl, token: env['SKEP_RUN_TOKEN'] ?? '' }) },
    stdin: isNew ? prompt : promptAgain,
    home: [
      { path: `${claudeHome}/settings.json`, content: settingsJson },
      { path: mcpFile, content: mcpJson(gatewayUrl) },
      { path: `${claudeHome}/projects`, target: keptPath },
    ],
    path,
    outputBytesMax: eventBytesMax,
    onOutput: (stream, chunk) => (stream === 'stdout' ? read(chunk) : onOutput(chunk, stream)),
  });
  read();
  return { turn, exit };
}

const mcpFile = 'skep-mcp.json';

/** Beside those of the gateway. Left out are those that ask the network, wait for another day, or start agents beside this one. */
const tools = [
  ...['Bash', 'Read', 'Edit', 'Write', 'NotebookEdit', 'Glob', 'Grep'],
  ...['TaskCreate', 'TaskGet', 'TaskList', 'TaskUpdate'],
];

// Settings, commands, agents, hooks and servers of the repository are those of the source `project`, which is left out.
const flags = [
  ...['-p', '--output-format', 'stream-json', '--verbose', '--dangerously-skip-permissions'],
  ...['--setting-sources', 'user', '--strict-mcp-config', '--mcp-config', `${homePath}/${mcpFile}`],
  ...['--disable-slash-commands', '--tools', tools.join(',')],
];

/** Ours to choose: numbers tell which conversation of a ticket is the last one. They are known in the sandbox alone. */
function sessionId(number: number): string {
  return `${sessionPrefix}${String(number).padStart(12, '0')}`;
}

const sessionPrefix = '736b6570-0000-4000-8000-';

/** The file of a conversation lies in a folder that is named by the workspace. */
function sessionNumber(path: string): number | undefined {
  const [, prefix, digits] = /^-work\/([0-9a-f-]{24})(\d{12})\.jsonl$/.exec(path) ?? [];
  return prefix === sessionPrefix ? Number(digits) : undefined;
}

/** An exit code of 0 is no success: only a turn whose result says so is. */
function judge({ exit, turn }: Once, limits: Pick<AgentContext, 'timeoutMs' | 'outputBytesMax'>): AgentOutcome {
  const { durationMs } = exit;
  const outcome = outcomeOf(
    exit,
    { ...limits, outputBytesMax: eventBytesMax },
    'Claude Code cannot be executed in a sandbox of this machine',
  );
  if (exit.reason !== 'exited' || (outcome.kind === 'done' && turn.isCompleted)) return outcome;
  const message = turn.failure === undefined ? undefined : `Claude Code could not finish: ${turn.failure}`;
  if (outcome.kind === 'failed') return { ...outcome, message: message ?? outcome.message };
  return {
    kind: 'failed',
    class: 'agent_failed',
    message: message ?? 'Claude Code ended before its turn was finished',
    durationMs,
  };
}
