import type { Command } from 'commander';
import { agent as agentSettings, plainAgents } from '../../../contract/projects.ts';
import type { Agent } from '../../../contract/projects.ts';
import { collect, usage } from '../command.ts';
import { withAcp } from './acp.ts';
import type { AcpOptions } from './acp.ts';

/** What one kind of agent alone has. */
export interface PlainOptions extends AcpOptions {
  readonly output?: string;
  readonly prompt?: string;
  readonly file?: readonly string[];
  readonly url?: string;
}

type PlainKind = (typeof plainAgents)[number];

export function withPlain(command: Command): Command {
  return withAcp(command)
    .option('--output <path>', 'with --agent model: the file of the repository that its answer becomes')
    .option('--prompt <text>', 'with --agent model: what the answer shall be like')
    .option('--file <pattern>', 'with --agent model: what it is shown, such as docs/*.md; may be repeated', collect)
    .option('--url <url>', 'with --agent http: where the ticket is posted to, and answered with files');
}

export function saysPlain({ output, prompt, file, url, env, homeFile, conversations }: PlainOptions): boolean {
  return [output, prompt, file, url, env, homeFile, conversations].some(said => said !== undefined);
}

/** Throws a usage error where an option was given that an agent of this kind knows nothing of. */
export function refusePlain(options: PlainOptions, kind: string): void {
  const acp = { env: 'acp', homeFile: 'acp', conversations: 'acp' } as const;
  const of = { output: 'model', prompt: 'model', file: 'model', url: 'http', ...acp } as const;
  const stray = (Object.keys(of) as (keyof typeof of)[]).find(name => options[name] !== undefined && of[name] !== kind);
  if (stray !== undefined)
    throw usage(`--${stray === 'homeFile' ? 'home-file' : stray} is for --agent ${of[stray]}, and the agent is ${kind}`);
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
  refusePlain(options, kind);
  const { output, prompt, file: files, url } = options;
  if (kind === 'http' && model !== undefined) throw usage('--agent http has no model: leave --model out');
  const same = before?.kind === kind ? before : undefined;
  const said = { kind, model, output, prompt, files, url, timeout_ms: timeoutMs };
  const told = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  const settings: Readonly<Record<string, unknown>> = { ...same, ...told };
  for (const [field, hint] of Object.entries(needs[kind]))
    if (settings[field] === undefined)
      throw usage(`--agent ${kind} needs ${optionOf[field]}`, `Such as: ${optionOf[field]} ${hint}`);
  const checked = agentSettings.safeParse(settings);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const [field = '', index] = (issue?.path ?? []).map(String);
  const value = index === undefined ? settings[field] : files?.[Number(index)];
  throw usage(`${optionOf[field] ?? field}: '${String(value)}': ${issue?.message ?? ''}`);
}

const needs: Readonly<Record<PlainKind, Readonly<Record<string, string>>>> = {
  model: { model: 'anthropic/claude-sonnet-4-5', output: 'docs/notes.md' },
  http: { url: 'https://agent.example.org/tickets' },
};

const optionOf: Readonly<Record<string, string>> = {
  model: '--model',
  output: '--output',
  prompt: '--prompt',
  files: '--file',
  url: '--url',
};
