import type { Agent, AgentContext, AgentOutcome } from '../../../worker/agent.ts';
import type { SandboxExit } from '../../../worker/sandbox.ts';
import type { Installs } from '../install/installs.ts';
import { installedInside } from '../install/packages.ts';
import { jsonLines } from '../json-lines.ts';
import { outcomeOf } from '../outcome.ts';
import { configToml } from './config.ts';
import { createTurn } from './events.ts';
import type { Turn } from './events.ts';

/** Events are read and dropped, so this bounds only what an agent that has gone mad may send. */
const eventBytesMax = 4 * 2 ** 30;

/**
 * OpenAI's Codex, one `codex exec` a run. It reports by MCP. The prompt comes on stdin and the run token by the environment, so that
 * neither stands in a list of processes.
 */
export function createCodexAgent(installs: Installs): Agent {
  return {
    kind: 'codex',
    isInstalled: async () => installs.find('codex') !== undefined,
    needs: async () => installs.needs('codex'),
    async run(context) {
      const { settings, prompt, env, gatewayUrl, onOutput, onUpdate, start } = context;
      if (settings.kind !== 'codex') throw new Error(`the settings are those of ${settings.kind}`);
      const { argv, path } = installedInside('codex', context.node);
      const turn = createTurn();
      const read = jsonLines({
        onObject: event => turn.read(event).forEach(onUpdate),
        onText: line => onOutput(Buffer.from(`${line}\n`)),
      });
      const exit = await start({
        argv: [...argv, ...flags],
        env: { ...env, CODEX_HOME: `${home}/.codex` },
        stdin: prompt,
        home: [{ path: '.codex/config.toml', content: configToml({ model: settings.model, gatewayUrl }) }],
        path,
        outputBytesMax: eventBytesMax,
        onOutput: (stream, chunk) => (stream === 'stdout' ? read(chunk) : onOutput(chunk)),
      });
      read();
      return judge(exit, turn, context);
    },
  };
}

/** Below /tmp, codex refuses to make what its commands need. */
const home = '/home/agent';

// Said here too, where nothing overrides it; a setting that this version does not know is a mistake of ours.
const flags = [
  ...['exec', '--json', '--strict-config', '--skip-git-repo-check', '--ephemeral', '--ignore-rules'],
  ...['--dangerously-bypass-approvals-and-sandbox', '--disable', 'plugins', '--disable', 'apps', '-'],
];

/** An exit code of 0 is no success: only a turn that was completed is. */
function judge(exit: SandboxExit, turn: Turn, limits: Pick<AgentContext, 'timeoutMs' | 'outputBytesMax'>): AgentOutcome {
  const { durationMs } = exit;
  const outcome = outcomeOf(
    exit,
    { ...limits, outputBytesMax: eventBytesMax },
    'Codex cannot be executed in a sandbox of this machine',
  );
  const isOwnEnd = exit.reason === 'exited' || exit.reason === 'signaled';
  if (!isOwnEnd || (outcome.kind === 'done' && turn.isCompleted)) return outcome;
  const message = turn.failure === undefined ? undefined : `Codex could not finish: ${turn.failure}`;
  if (outcome.kind === 'failed') return { ...outcome, message: message ?? outcome.message };
  return { kind: 'failed', class: 'agent_failed', message: message ?? 'Codex ended before its turn was finished', durationMs };
}
