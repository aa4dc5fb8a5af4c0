import type { Agent } from '../../../contract/projects.ts';
import { usage } from '../command.ts';
import type { World } from '../context.ts';
import { checkLine } from './checks.ts';

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

/** Undefined where neither a command nor a time was given. */
export function agentOf({ agent }: Operands, timeoutS: number | undefined, before: Agent | null = null): Agent | undefined {
  if (agent.length === 0 && timeoutS === undefined) return undefined;
  if (agent.length === 0 && before !== null && timeoutS !== undefined) return { ...before, timeout_ms: timeoutS * 1000 };
  if (agent.length === 0) throw usage('--timeout is for an agent, and none is given', "Add -- and the agent's command");
  const timeoutMs = timeoutS === undefined ? before?.timeout_ms : timeoutS * 1000;
  return { kind: 'exec', command: [...agent], ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }) };
}

/** What works: the command as it would be typed, or the agent with its model. */
export function agentText(agent: Agent): string {
  return agent.kind === 'exec' ? checkLine(agent) : `${agent.kind} with ${agent.model}`;
}
