import type { Agent, AgentContext, AgentOutcome } from '../../../worker/agent.ts';
import { homePath, keptPath } from '../../../worker/sandbox.ts';
import type { SandboxExit } from '../../../worker/sandbox.ts';
import type { Installs } from '../install/installs.ts';
import { installedInside } from '../install/packages.ts';
import { jsonLines } from '../json-lines.ts';
import { beginsAnew, outcomeOf } from '../outcome.ts';
import { configToml } from './config.ts';
import type { Turn } from '../turn.ts';
import { createTurn } from './events.ts';

/** Events are read and dropped, so this bounds only what an agent that has gone mad may send. */
const eventBytesMax = 4 * 2 ** 30;

/**
 * OpenAI's Codex, one `codex exec` a run, or one that goes on with the thread of the run before. It reports by MCP. The prompt comes
 * on stdin and the run token by the environment, so that neither stands in a list of processes.
 */
export function createCodexAgent(installs: Installs): Agent {
  return {
    kind: 'codex',
    isInstalled: async () => installs.find('codex') !== undefined,
    needs: async () => installs.needs('codex'),
    async run(context) {
      const thread = lastThread(context.kept);
      const { turn, exit } = await runOnce(context, thread);
      // It does not know the thread or can't read it, or the model does not take it any more: then all is told from the beginning.
      if (thread === undefined || turn.hasWorked || exit.reason !== 'exited') return judge(exit, turn, context);
      context.onUpdate(beginsAnew);
      const anew = await runOnce(context);
      return judge(anew.exit, anew.turn, context);
    },
  };
}

async function runOnce(context: AgentContext, thread?: string): Promise<{ readonly turn: Turn; readonly exit: SandboxExit }> {
  const { settings, prompt, promptAgain, env, gatewayUrl, onOutput, onUpdate, start } = context;
  if (settings.kind !== 'codex') throw new Error(`the settings are those of ${settings.kind}`);
  const { argv, path } = installedInside('codex', context.node);
  const turn = createTurn();
  const read = jsonLines({
    onObject: event => turn.read(event).forEach(onUpdate),
    onText: line => onOutput(Buffer.from(`${line}\n`)),
  });
  const exit = await start({
    argv: [...argv, ...flags, ...(thread === undefined ? [] : ['resume', thread]), '-'],
    env: { ...env, CODEX_HOME: `${homePath}/.codex` },
    stdin: thread === undefined ? prompt : promptAgain,
    home: [
      { path: '.codex/config.toml', content: configToml({ model: settings.model, gatewayUrl }) },
      { path: '.codex/sessions', target: keptPath },
    ],
    path,
    outputBytesMax: eventBytesMax,
    onOutput: (stream, chunk) => (stream === 'stdout' ? read(chunk) : onOutput(chunk, stream)),
  });
  read();
  return { turn, exit };
}

/** Below /tmp, codex refuses to make what its commands need. */

// Said here too, where nothing overrides it; a setting that this version does not know is a mistake of ours.
const flags = [
  ...['exec', '--json', '--strict-config', '--skip-git-repo-check', '--ignore-rules'],
  ...['--dangerously-bypass-approvals-and-sandbox', '--disable', 'plugins', '--disable', 'apps'],
];

/** The files of threads lie in folders of days, and are named by their time and the id of the thread. */
function lastThread(kept: readonly string[]): string | undefined {
  const last = kept
    .filter(path => rollout.test(path))
    .sort()
    .at(-1);
  return last === undefined ? undefined : rollout.exec(last)?.[1];
}

const rollout = /(?:^|\/)rollout-[0-9T-]+-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.jsonl$/;

/** An exit code of 0 is no success: only a turn that was completed is. */
function judge(exit: SandboxExit, turn: Turn, limits: Pick<AgentContext, 'timeoutMs' | 'outputBytesMax'>): AgentOutcome {
  const { durationMs } = exit;
  const outcome = outcomeOf(
    exit,
    { ...limits, outputBytesMax: eventBytesMax },
    'Codex cannot be executed in a sandbox of this machine',
  );
  if (exit.reason !== 'exited' || (outcome.kind === 'done' && turn.isCompleted)) return outcome;
  const message = turn.failure === undefined ? undefined : `Codex could not finish: ${turn.failure}`;
  if (outcome.kind === 'failed') return { ...outcome, message: message ?? outcome.message };
  return { kind: 'failed', class: 'agent_failed', message: message ?? 'Codex ended before its turn was finished', durationMs };
}
