import type { Agent, AgentContext, AgentOutcome, AgentSettings } from '../../../worker/agent.ts';
import { acpProgram } from '../../../worker/host/acp-turn.ts';
import type { AcpTurn } from '../../../worker/host/acp-turn.ts';
import { keptPath } from '../../../worker/sandbox.ts';
import type { SandboxExit } from '../../../worker/sandbox.ts';
import type { Installs } from '../install/installs.ts';
import { installableOf, installedInside } from '../install/packages.ts';
import { jsonLines } from '../json-lines.ts';
import { outcomeOf } from '../outcome.ts';
import { acpAgentOf } from './agents.ts';
import type { AcpKind, AcpSettings } from './agents.ts';
import { createTurn } from './turn.ts';
import type { Turn } from './turn.ts';

/** Events are read and dropped, so this bounds only what an agent that has gone mad may send. */
const eventBytesMax = 4 * 2 ** 30;

/**
 * An agent that speaks the Agent Client Protocol. In the sandbox a client of ours starts it and has one turn with it: a new session, or
 * the one of the run before where the agent can go on with it.
 */
export function createAcpAgent(kind: AcpKind, installs: Installs): Agent {
  return {
    kind,
    isInstalled: async () => installs.find(kind) !== undefined,
    async needs(settings) {
      const needs = installs.needs(kind);
      return needs.kind === 'met' ? { ...needs, keeps: keeps(settings, kind) } : needs;
    },
    run: context => converse(context, settingsOf(context.settings, kind)),
  };
}

/** One whose command the project names: a program of the sandbox or, given `installs`, a bridge that Skep installs. */
export function createOtherAcpAgent(installs?: Installs): Agent {
  return {
    kind: 'acp',
    async needs(settings) {
      const bridge = installableOf(settings);
      const needs = (bridge === undefined ? undefined : installs?.needs(bridge)) ?? met;
      return needs.kind === 'met' ? { ...needs, keeps: keeps(settings, 'acp') } : needs;
    },
    run: context => converse(context, settingsOf(context.settings, 'acp')),
  };
}

const met = { kind: 'met', folders: [], gateway: true, reports: true } as const;

/** Whether it can go on with a conversation in another sandbox. */
function keeps(settings: AgentSettings, kind: AcpKind | 'acp'): boolean {
  return acpAgentOf(settingsOf(settings, kind)).conversations !== undefined;
}

function settingsOf(settings: AgentSettings, kind: AcpKind | 'acp'): AcpSettings {
  if (settings.kind !== kind) throw new Error(`the settings are those of ${settings.kind}`);
  return settings as AcpSettings;
}

async function converse(context: AgentContext, settings: AcpSettings): Promise<AgentOutcome> {
  const { prompt, promptAgain, env, gatewayUrl, node, inside, onOutput, onUpdate, start } = context;
  const { args, env: own, home, conversations, byMinute = false } = acpAgentOf(settings);
  const given = { model: settings.model, gatewayUrl, token: env['SKEP_RUN_TOKEN'] ?? '' };
  const { argv, path } = programOf(settings, node);
  const asked: AcpTurn = {
    ...{ argv: [...argv, ...args(given)], prompt, promptAgain, mcpUrl: `${gatewayUrl}/mcp` },
    ...(conversations === undefined ? {} : { sessionFile: `${keptPath}/skep-session.json` }),
    ...(byMinute ? { byMinute: keptPath } : {}),
  };
  const turn = createTurn();
  const read = jsonLines({
    onObject: event => turn.read(event).forEach(onUpdate),
    onText: line => onOutput(Buffer.from(`${line}\n`)),
  });
  const exit = await start({
    argv: [node, `${inside}/${acpProgram}`],
    env: { ...env, ...own(given) },
    stdin: JSON.stringify(asked),
    home: [...home(given), ...(conversations === undefined ? [] : [{ path: conversations, target: keptPath }])],
    path,
    outputBytesMax: eventBytesMax,
    onOutput: (stream, chunk) => (stream === 'stdout' ? read(chunk) : onOutput(chunk, stream)),
  });
  read();
  turn.end().forEach(onUpdate);
  return judge(exit, { turn, settings, context });
}

function programOf(settings: AcpSettings, node: string): Pick<ReturnType<typeof installedInside>, 'argv' | 'path'> {
  if (settings.kind !== 'acp') return installedInside(settings.kind, node);
  const [program = '', ...args] = settings.command;
  const bridge = installableOf(settings);
  if (bridge === undefined) return { argv: [program, ...args], path: [] };
  const { argv, path } = installedInside(bridge, node);
  return { argv: [...argv, ...args], path };
}

interface Judged {
  readonly turn: Turn;
  readonly settings: AcpSettings;
  readonly context: AgentContext;
}

function judge(exit: SandboxExit, { turn, settings, context }: Judged): AgentOutcome {
  const { durationMs } = exit;
  const name = settings.kind === 'acp' ? (settings.command[0] ?? '') : settings.kind;
  const missing = `The agent's program ${name} does not exist in the sandbox or cannot be executed`;
  const outcome = outcomeOf(exit, { ...context, outputBytesMax: eventBytesMax }, missing);
  if (exit.reason !== 'exited') return outcome;
  const failed = { kind: 'failed', class: 'agent_failed', durationMs } as const;
  const { ending } = turn;
  switch (ending?.kind) {
    case 'stopped':
      return stopped(ending, { name, durationMs });
    case 'died':
      return { ...failed, class: 'agent_died', message: `The agent was ended by ${ending.signal}, which Skep did not send` };
    case 'not_found':
      return { ...failed, class: 'agent_missing', message: missing };
    case 'failed':
      return { ...failed, message: `${name} could not finish: ${ending.message}` };
    default:
      return { ...failed, message: `${name} ended before its turn was finished` };
  }
}

/** What ACP calls the end of a turn; it is no success where the last words are an error of the provider, as some put it. */
function stopped(
  { stopReason, lastWords }: Extract<Turn['ending'], { kind: 'stopped' }>,
  { name, durationMs }: { readonly name: string; readonly durationMs: number },
): AgentOutcome {
  const failed = { kind: 'failed', class: 'agent_failed', durationMs } as const;
  const [, error] = /^\s*\[API Error: ([^]*)\]\s*$/.exec(lastWords) ?? [];
  if (error !== undefined) return { ...failed, message: `${name} could not finish: ${error}` };
  switch (stopReason) {
    case 'end_turn':
      return { kind: 'done', stopReason, durationMs };
    case 'max_tokens':
      return { ...failed, stopReason, message: `${name} could not finish: the answer of the model reached its limit` };
    case 'max_turn_requests':
      return { ...failed, stopReason, message: `${name} could not finish: it asked the model as often as it may in one turn` };
    case 'refusal':
      return { ...failed, stopReason, message: `${name} could not finish: the model refused to go on` };
    default:
      return { ...failed, message: `${name} ended its turn as ${stopReason || 'nothing'} before it was finished` };
  }
}
