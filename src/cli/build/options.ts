import { dirname, resolve } from 'node:path';
import type { Agent, Check, Planner } from '../../../contract/projects.ts';
import { modelName } from '../../../contract/projects.ts';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import { usage } from '../command.ts';
import type { RemoteOptions, World } from '../context.ts';
import { readCard, readText } from '../input/card.ts';
import { repositoryArgument } from '../input/repository.ts';
import type { Operands } from '../project/agent.ts';
import { checksGiven } from '../project/checks.ts';
import { acpAgent } from '../project/acp.ts';
import { isPlain, plainAgent, refusePlain } from '../project/plain.ts';
import type { PlainOptions } from '../project/plain.ts';

export interface BuildOptions extends RemoteOptions, PlainOptions {
  readonly repo?: string;
  readonly spec?: string;
  readonly idea?: string;
  readonly ideaFile?: string;
  /** The kind. */
  readonly agent?: Agent['kind'];
  readonly command?: string;
  readonly model?: string;
  readonly planner?: string;
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
  readonly planner?: Planner;
  readonly checks?: readonly Check[];
  readonly test_changes?: 'allow';
  readonly red_base?: 'leave_out';
}

/** A card that says what is to be built, or an idea from which a model plans one. */
export type Wanted = (CardWanted | IdeaWanted) & {
  /** An absolute path or a URL. */
  readonly repository: string;
  readonly wishes: ProjectWishes;
};

export interface CardWanted {
  readonly card: SpecCardInput;
}

export interface IdeaWanted {
  readonly idea: string;
}

/** Reads and checks all that was typed and the card, before anything is started. `server`: where the repository is looked for. */
export async function readWanted(
  world: World,
  options: BuildOptions,
  given: { words: Operands; server: string },
): Promise<Wanted> {
  const { spec } = options;
  if (options.retryFailed === true) throw usage('--retry-failed goes with --resume');
  const sources = [options.spec, options.idea, options.ideaFile].filter(given => given !== undefined);
  if (sources.length > 1) throw usage('Give one of --spec, --idea and --idea-file, not several');
  if (sources.length === 0) {
    throw usage(
      'What is to be built is missing',
      "Give --idea 'what you want', --spec card.json, or --resume to go on with a build that was interrupted",
    );
  }
  const wishes = readWishes(options, given.words);
  const at = { cwd: world.cwd, server: given.server };
  if (spec === undefined)
    return { idea: await readIdea(world, options), repository: repositoryArgument(options.repo ?? '.', at), wishes };
  const card = await readCard(world, spec);
  const cardFolder = spec === '-' ? world.cwd : dirname(resolve(world.cwd, spec));
  const repository =
    options.repo === undefined && card.repository !== undefined
      ? repositoryArgument(card.repository.trim(), { cwd: cardFolder, server: given.server })
      : repositoryArgument(options.repo ?? '.', at);
  return { card, repository, wishes };
}

async function readIdea(world: World, { idea, ideaFile }: BuildOptions): Promise<string> {
  const text = (idea ?? (await readText(world, ideaFile ?? '-'))).trim();
  if (text === '')
    throw usage('The idea is empty', "Say in a few words what is to be built: --idea 'An invoice from the timesheet'");
  if (text.length > ideaLengthMax) {
    throw usage(
      `The idea has ${text.length} characters; it may have ${ideaLengthMax}`,
      'Put the details into the repository and name the file',
    );
  }
  return text;
}

/** Less than a description may hold (contract: text, 100 000), with the mark of this command before it. */
const ideaLengthMax = 90_000;

export function readWishes(options: BuildOptions, words: Operands): ProjectWishes {
  const agent = agentGiven(options, words);
  const checks = checksGiven(options);
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(options.planner === undefined ? {} : { planner: { model: modelGiven(options.planner, '--planner') } }),
    ...(checks === undefined || checks === null ? {} : { checks }),
    ...(options.allowTestChanges === true ? { test_changes: 'allow' as const } : {}),
    ...(options.leaveOutRed === true ? { red_base: 'leave_out' as const } : {}),
  };
}

function agentGiven(options: BuildOptions, { before, agent }: Operands): Agent | undefined {
  const { agent: kind = 'exec', command, timeout } = options;
  const [stray] = before;
  if (stray !== undefined) {
    throw usage(`'${stray}' is one word too many`, "Quote the agent's command: --command 'node agent.js', or put -- before it");
  }
  const model = options.model === undefined ? {} : { model: modelGiven(options.model, '--model') };
  const limit = timeout === undefined ? {} : { timeout_ms: timeout * 1000 };
  refusePlain(options, kind);
  if (kind !== 'exec' && kind !== 'acp') {
    if (command !== undefined || agent.length > 0) throw usage(`--agent ${kind} brings its own program: leave the command out`);
    if (isPlain(kind)) return plainAgent(kind, { options, model: model.model, timeoutMs: limit.timeout_ms });
    if (model.model === undefined) throw usage(`--agent ${kind} needs a model`, 'Such as: --model anthropic/claude-sonnet-4-5');
    return { kind, model: model.model, ...limit };
  }
  if (command !== undefined && agent.length > 0) throw usage('Give the agent either by --command or behind --, not both');
  if (command?.trim() === '') throw usage("The agent's command is empty", "Such as: --command 'node agent.js'");
  // shell: whoever gives a line for sh wants one; it is read in the sandbox and nowhere else
  const argv = command === undefined ? [...agent] : ['sh', '-c', command];
  if (kind === 'acp') {
    if (argv.length === 0) throw usage('--agent acp needs the command of the agent', 'Add it behind --: -- agent --acp');
    if (model.model === undefined) throw usage('--agent acp needs a model', 'Such as: --model anthropic/claude-sonnet-4-5');
    return acpAgent({ options, said: { kind, command: argv, model: model.model, ...limit } });
  }
  if (argv.length > 0) return { kind: 'exec', command: argv, ...model, ...limit };
  if (timeout !== undefined) throw usage('--timeout is for an agent, and none is given', "Add --command 'node agent.js'");
  if (options.model !== undefined) throw usage('--model is for an agent, and none is given', 'Add --agent codex, or pi');
  return undefined;
}

function modelGiven(name: string, option: string): string {
  const checked = modelName.safeParse(name);
  if (!checked.success) throw usage(`${option}: '${name}' is no name of a model`, 'Such as: anthropic/claude-sonnet-4-5');
  return checked.data;
}
