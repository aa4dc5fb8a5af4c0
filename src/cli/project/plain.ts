import type { Command } from 'commander';
import { agent as agentSettings, plainAgents } from '../../../contract/projects.ts';
import type { Agent } from '../../../contract/projects.ts';
import { collect, usage } from '../command.ts';

/** Of agents for work that needs no coding agent. */
export interface PlainOptions {
  readonly output?: string;
  readonly prompt?: string;
  readonly file?: readonly string[];
}

type PlainKind = (typeof plainAgents)[number];

export function withPlain(command: Command): Command {
  return command
    .option('--output <path>', 'with --agent model: the file of the repository that its answer becomes')
    .option('--prompt <text>', 'with --agent model: what the answer shall be like')
    .option('--file <pattern>', 'with --agent model: what it is shown, such as docs/*.md; may be repeated', collect);
}

export function saysPlain({ output, prompt, file }: PlainOptions): boolean {
  return [output, prompt, file].some(said => said !== undefined);
}

/** Throws a usage error where an option was given that an agent of this kind knows nothing of. */
export function refusePlain(options: PlainOptions, kind: string): void {
  const [stray] = (['output', 'prompt', 'file'] as const).filter(name => options[name] !== undefined);
  if (stray !== undefined) throw usage(`--${stray} is for --agent model, and the agent is ${kind}`);
}

export function isPlain(kind: string | undefined): kind is PlainKind {
  return plainAgents.some(each => each === kind);
}

interface Given {
  readonly options: PlainOptions;
  readonly model: string | undefined;
  readonly timeoutMs: number | undefined;
  /** What the project has of it, which holds where nothing else is said. */
  readonly before?: Agent | undefined;
}

/** The settings as they were typed. Throws a usage error that names the option. */
export function plainAgent(kind: PlainKind, { options, model, timeoutMs, before }: Given): Agent {
  const { output, prompt, file: files } = options;
  const same = before?.kind === kind ? before : undefined;
  const said = { kind, model, output, prompt, files, timeout_ms: timeoutMs };
  const told = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  const settings = { ...same, ...told };
  if (!('output' in settings)) throw usage('--agent model needs a file for its answer', 'Such as: --output docs/notes.md');
  const checked = agentSettings.safeParse(settings);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const [field = ''] = issue?.path ?? [];
  const value = field === 'files' ? files?.[Number(issue?.path[1])] : settings[field as 'output'];
  throw usage(`${optionOf[String(field)] ?? String(field)}: ${value === undefined ? '' : `'${value}': `}${issue?.message ?? ''}`);
}

const optionOf: Readonly<Record<string, string>> = { output: '--output', prompt: '--prompt', files: '--file' };
