import type { Agent, AgentContext, AgentOutcome } from '../../../worker/agent.ts';
import { homePath, keptPath } from '../../../worker/sandbox.ts';
import type { SandboxExit } from '../../../worker/sandbox.ts';
import type { Installs } from '../install/installs.ts';
import { installedInside, packages } from '../install/packages.ts';
import { jsonLines } from '../json-lines.ts';
import { beginsAnew, outcomeOf } from '../outcome.ts';
import { modelsJson, packageJson, piProvider, settingsJson } from './config.ts';
import { createSession, isPiece } from './events.ts';
import type { Session } from './events.ts';

/** Pi repeats a message with each piece of it: one of 40 KiB comes to a gigabyte. All but a few events are dropped unread. */
const eventBytesMax = 64 * 2 ** 30;

/**
 * Pi, one `pi --mode json -p` a run. It has no MCP and reports by skep-report. The prompt comes on stdin and the run token by the
 * environment, so that neither stands in a list of processes.
 */
export function createPiAgent(installs: Installs): Agent {
  return {
    kind: 'pi',
    isInstalled: async () => installs.find('pi') !== undefined,
    needs: async () => installs.needs('pi'),
    async run(context) {
      const last = context.kept.filter(isSession).sort(byNumber).at(-1);
      const { session, exit } = await runOnce(context, last);
      // The model does not take the conversation any more, as of one that another model had: then all is told from the beginning.
      if (last === undefined || session.hasWorked || exit.reason !== 'exited') return judge(exit, session, context);
      context.onUpdate(beginsAnew);
      const anew = await runOnce(context);
      return judge(anew.exit, anew.session, context);
    },
  };
}

interface Once {
  readonly session: Session;
  readonly exit: SandboxExit;
}

/** `last`: the conversation that is gone on with. */
async function runOnce(context: AgentContext, last?: string): Promise<Once> {
  const { settings, prompt, promptAgain, kept, env, gatewayUrl, onOutput, onUpdate, start } = context;
  if (settings.kind !== 'pi') throw new Error(`the settings are those of ${settings.kind}`);
  const { argv, packageFolder } = installedInside('pi', context.node);
  const session = createSession();
  const read = jsonLines({
    onObject: event => session.read(event).forEach(onUpdate),
    onText: line => onOutput(Buffer.from(`${line}\n`)),
    isUnwanted: isPiece,
  });
  const own = { version: packages.pi.version, runId: env['SKEP_RUN_ID'] ?? '' };
  const file = last ?? `session-${kept.filter(isSession).length + 1}.jsonl`;
  const exit = await start({
    argv: [...argv, ...flags, '--session', `${keptPath}/${file}`, '--provider', piProvider, '--model', settings.model],
    env: {
      ...env,
      PI_OFFLINE: '1',
      PI_TELEMETRY: '0',
      PI_CODING_AGENT_DIR: `${homePath}/pi`,
      PI_PACKAGE_DIR: `${homePath}/pi-package`,
    },
    stdin: last === undefined ? prompt : promptAgain,
    home: [
      { path: 'pi/models.json', content: modelsJson({ model: settings.model, gatewayUrl }) },
      { path: 'pi/settings.json', content: settingsJson },
      { path: 'pi-package/package.json', content: packageJson(own) },
      ...assets.map(name => ({ path: `pi-package/${name}`, target: `${packageFolder}/${name}` })),
    ],
    outputBytesMax: eventBytesMax,
    onOutput: (stream, chunk) => (stream === 'stdout' ? read(chunk) : onOutput(chunk, stream)),
  });
  read();
  return { session, exit };
}

function isSession(file: string): boolean {
  return /^session-\d{1,3}\.jsonl$/.test(file);
}

function byNumber(one: string, other: string): number {
  return Number(one.slice(8, -6)) - Number(other.slice(8, -6));
}

/** What pi looks for beside its package.json. */
const assets = ['dist', 'docs', 'examples', 'README.md', 'CHANGELOG.md'];
const flags = [...['--mode', 'json', '-p'], ...['--no-extensions', '--no-skills', '--no-prompt-templates', '--no-themes']];

/** Pi ends with 0 whatever became of the model's calls: why its last message ended decides. */
function judge(exit: SandboxExit, session: Session, limits: Pick<AgentContext, 'timeoutMs' | 'outputBytesMax'>): AgentOutcome {
  const { durationMs } = exit;
  const outcome = outcomeOf(
    exit,
    { ...limits, outputBytesMax: eventBytesMax },
    'Pi cannot be executed in a sandbox of this machine',
  );
  if (exit.reason !== 'exited' || (outcome.kind === 'done' && session.stopReason === 'stop')) return outcome;
  const message = session.failure === undefined ? undefined : `Pi could not finish: ${session.failure}`;
  if (outcome.kind === 'failed') return { ...outcome, message: message ?? outcome.message };
  const failed = { kind: 'failed', class: 'agent_failed', durationMs } as const;
  if (session.stopReason === 'length')
    return { ...failed, stopReason: 'max_tokens', message: 'Pi could not finish: the answer of the model reached its limit' };
  return { ...failed, message: message ?? 'Pi ended before its turn was finished' };
}
