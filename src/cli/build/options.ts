import { dirname, resolve } from 'node:path';
import type { Agent, Check } from '../../../contract/projects.ts';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import { usage } from '../command.ts';
import type { RemoteOptions, World } from '../context.ts';
import { readCard } from '../input/card.ts';
import { repositoryArgument } from '../input/repository.ts';
import type { Operands } from '../project/agent.ts';
import { checksGiven } from '../project/checks.ts';

export interface BuildOptions extends RemoteOptions {
  readonly repo?: string;
  readonly spec?: string;
  readonly command?: string;
  readonly timeout?: number;
  readonly check?: readonly string[];
  /** False with --no-checks. */
  readonly checks: boolean;
  readonly allowTestChanges?: boolean;
  readonly leaveOutRed?: boolean;
  readonly slots?: number;
  readonly yes?: boolean;
  readonly plain?: boolean;
  readonly home?: string;
  /** True without a value: the newest unfinished one. */
  readonly resume?: string | true;
  readonly retryFailed?: boolean;
}

/** What a project is to be like; what was not said stays as it is. */
export interface ProjectWishes {
  readonly agent?: Agent;
  readonly checks?: readonly Check[];
  readonly test_changes?: 'allow';
  readonly red_base?: 'leave_out';
}

export interface Wanted {
  readonly card: SpecCardInput;
  /** An absolute path or a URL. */
  readonly repository: string;
  readonly wishes: ProjectWishes;
}

/** Reads and checks all that was typed and the card, before anything is started. `server`: where the repository is looked for. */
export async function readWanted(
  world: World,
  options: BuildOptions,
  given: { words: Operands; server: string },
): Promise<Wanted> {
  const { spec } = options;
  if (spec === undefined) {
    throw usage('The spec card is missing', 'Give --spec card.json, or --resume to go on with a build that was interrupted');
  }
  if (options.retryFailed === true) throw usage('--retry-failed goes with --resume');
  const wishes = readWishes(options, given.words);
  const card = await readCard(world, spec);
  const cardFolder = spec === '-' ? world.cwd : dirname(resolve(world.cwd, spec));
  const repository =
    options.repo === undefined && card.repository !== undefined
      ? repositoryArgument(card.repository.trim(), { cwd: cardFolder, server: given.server })
      : repositoryArgument(options.repo ?? '.', { cwd: world.cwd, server: given.server });
  return { card, repository, wishes };
}

export function readWishes(options: BuildOptions, words: Operands): ProjectWishes {
  const agent = agentGiven(options, words);
  const checks = checksGiven(options);
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(checks === undefined || checks === null ? {} : { checks }),
    ...(options.allowTestChanges === true ? { test_changes: 'allow' as const } : {}),
    ...(options.leaveOutRed === true ? { red_base: 'leave_out' as const } : {}),
  };
}

function agentGiven({ command, timeout }: BuildOptions, { before, agent }: Operands): Agent | undefined {
  const [stray] = before;
  if (stray !== undefined) {
    throw usage(`'${stray}' is one word too many`, "Quote the agent's command: --command 'node agent.js', or put -- before it");
  }
  if (command !== undefined && agent.length > 0) throw usage('Give the agent either by --command or behind --, not both');
  if (command?.trim() === '') throw usage("The agent's command is empty", "Such as: --command 'node agent.js'");
  // shell: whoever gives a line for sh wants one; it is read in the sandbox and nowhere else
  const argv = command === undefined ? [...agent] : ['sh', '-c', command];
  if (argv.length > 0) return { kind: 'exec', command: argv, ...(timeout === undefined ? {} : { timeout_ms: timeout * 1000 }) };
  if (timeout !== undefined) throw usage('--timeout is for an agent, and none is given', "Add --command 'node agent.js'");
  return undefined;
}
