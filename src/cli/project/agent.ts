import { Option } from 'commander';
import type { Command } from 'commander';
import { codingAgents, commandAgents, modelName, modelOf, plainAgents } from '../../../contract/projects.ts';
import type { Agent } from '../../../contract/projects.ts';
import { usage, whole } from '../command.ts';
import type { World } from '../context.ts';
import { acpAgent } from './acp.ts';
import { checkLine } from './checks.ts';
import { isPlain, plainAgent, refusePlain, saysPlain, withPlain } from './plain.ts';
import type { PlainOptions } from './plain.ts';

/** What stood before `--` and what stood behind it. */
export interface Operands {
  readonly before: readonly string[];
  /** The agent's program and arguments, taken as they are: no shell reads them. */
  readonly agent: readonly string[];
}

export function operands(world: World, all: readonly string[]): Operands {
  const dashes = world.argv.indexOf('--');
  const agent = dashes === -1 ? [] : world.argv.slice(dashes + 1);
  return { before: all.slice(0, all.length - agent.length), agent };
}

/** The one name among the operands. Whoever forgets `--` before the agent's command is told so. */
export function nameOf({ before }: Operands, option: string | undefined): string {
  const names = option === undefined ? before : [option, ...before];
  const [name, second] = names;
  if (name === undefined) throw usage('The name of the project is missing', 'skep project create demo --repository .');
  if (second !== undefined) {
    throw usage(
      `'${second}' is one word too many`,
      "Put -- before the agent's command: skep project create demo -- node agent.js",
    );
  }
  return name;
}

export interface AgentOptions extends PlainOptions {
  /** The kind. */
  readonly agent?: Agent['kind'];
  readonly model?: string;
  /** Seconds. */
  readonly timeout?: number;
}

/** All that a project may name. */
export const agentKinds: readonly Agent['kind'][] = [...commandAgents, ...codingAgents, ...plainAgents];

export function withAgent(command: Command): Command {
  const named = command
    .addOption(new Option('--agent <kind>', 'a coding agent, instead of a command of your own').choices([...agentKinds]))
    .option('--model <name>', 'its model, such as anthropic/claude-sonnet-4-5; a command of your own is then given the gateway')
    .option('--timeout <seconds>', 'longest time of one run', whole(1, 86_400));
  return withPlain(named);
}

export function saysAgent({ agent }: Pick<Operands, 'agent'>, options: AgentOptions): boolean {
  const { agent: kind, model, timeout } = options;
  return agent.length > 0 || [kind, model, timeout].some(said => said !== undefined) || saysPlain(options);
}

/** What was said of the agent, on top of what the project has; undefined where nothing was said. */
export function agentOf({ agent: command }: Operands, options: AgentOptions, before: Agent | null = null): Agent | undefined {
  const { agent: said, timeout } = options;
  if (!saysAgent({ agent: command }, options)) return undefined;
  const kind = said ?? (command.length > 0 ? 'exec' : before?.kind);
  if (kind === undefined) {
    refusePlain(options, 'one that is not given');
    const option = options.model === undefined ? '--timeout' : '--model';
    throw usage(`${option} is for an agent, and none is given`, "Add --agent codex, or -- and the agent's command");
  }
  refusePlain(options, kind);
  const same = before?.kind === kind ? before : undefined;
  const timeoutMs = timeout === undefined ? before?.timeout_ms : timeout * 1000;
  const limit = timeoutMs === undefined ? {} : { timeout_ms: timeoutMs };
  const model = options.model === undefined ? modelOf(same) : modelGiven(options.model);
  if (kind === 'exec' || kind === 'acp') {
    const argv = command.length > 0 ? [...command] : same !== undefined && 'command' in same ? same.command : undefined;
    if (argv === undefined) throw usage('The command of the agent is missing', 'Add it behind --: -- node agent.js');
    if (kind === 'acp') return acpAgent({ options, said: { kind, command: argv, model: needed(kind, model), ...limit }, before });
    return { kind, command: argv, ...(model === undefined ? {} : { model }), ...limit };
  }
  if (command.length > 0) throw usage(`${kind} brings its own program: leave the command behind -- out`);
  if (isPlain(kind)) return plainAgent(kind, { options, model, timeoutMs, before: same });
  return { kind, model: needed(kind, model), ...limit };
}

function needed(kind: string, model: string | undefined): string {
  if (model === undefined) throw usage(`${kind} needs a model`, 'Such as: --model anthropic/claude-sonnet-4-5');
  return model;
}

function modelGiven(name: string): string {
  const checked = modelName.safeParse(name);
  if (!checked.success) throw usage(`--model: '${name}' is no name of a model`, 'Such as: anthropic/claude-sonnet-4-5');
  return checked.data;
}

/** What works: the command as it would be typed, or the agent with its model. */
export function agentText(agent: Agent): string {
  if (agent.kind === 'http') return `http at ${agent.url}`;
  const what = 'command' in agent ? checkLine(agent) : agent.kind;
  const file = agent.kind === 'model' ? ` into ${agent.output}` : '';
  return agent.model === undefined ? what : `${what} with ${agent.model}${file}`;
}
