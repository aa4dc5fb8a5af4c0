import type { Command } from 'commander';
import { agent as agentSettings } from '../../../contract/projects.ts';
import type { Agent } from '../../../contract/projects.ts';
import { collect, usage } from '../command.ts';

/** Of an agent that speaks the Agent Client Protocol and that Skep knows nothing of. */
export interface AcpOptions {
  readonly env?: readonly string[];
  readonly homeFile?: readonly string[];
  readonly conversations?: string;
}

type AcpSettings = Extract<Agent, { kind: 'acp' }>;

export function withAcp(command: Command): Command {
  return command
    .option('--env <name=value>', "with --agent acp: a variable, never a key; may be repeated; '' takes all away", collect)
    .option('--home-file <path=text>', "with --agent acp: a file of its HOME; may be repeated; '' takes all away", collect)
    .option('--conversations <path>', "with --agent acp: the folder of its HOME with its sessions; '' for none");
}

interface Given {
  readonly options: AcpOptions;
  /** Its command, model and timeout. */
  readonly said: Pick<AcpSettings, 'kind' | 'command' | 'model' | 'timeout_ms'>;
  /** What the project has of it, which holds where nothing else is said. */
  readonly before?: Agent | null | undefined;
}

/** The settings as they were typed. Throws a usage error that names the option. */
export function acpAgent({ options: { env, homeFile, conversations }, said, before }: Given): Agent {
  const same = before?.kind === 'acp' ? before : undefined;
  const told = {
    env: env === undefined ? same?.env : pairs(env, { option: '--env', form: 'NAME=VALUE' }),
    home: homeFile === undefined ? same?.home : pairs(homeFile, { option: '--home-file', form: 'PATH=TEXT' }),
    conversations: conversations === undefined ? same?.conversations : conversations || undefined,
  };
  const checked = agentSettings.safeParse({
    ...said,
    ...Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined)),
  });
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const [field = '', name] = (issue?.path ?? []).map(String);
  const option = optionOf[field] ?? field;
  throw usage(`${name === undefined ? option : `${option} ${name}`}: ${issue?.message ?? ''}`);
}

const optionOf: Readonly<Record<string, string>> = { env: '--env', home: '--home-file', conversations: '--conversations' };

/** What it has beside its command; of files their names. */
export function acpRows(agent: Agent | null): [title: string, value: string | null][] {
  if (agent?.kind !== 'acp') return [];
  const { env = {}, home = {}, conversations = null } = agent;
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [
    ['variables', variables.join('\n')],
    ['home', Object.keys(home).join('\n')],
    ['conversations', conversations],
  ];
}

/** Undefined where they are taken away. */
function pairs(all: readonly string[], { option, form }: { option: string; form: string }): Record<string, string> | undefined {
  if (all.join('') === '') return undefined;
  const found = new Map<string, string>();
  for (const each of all) {
    const [, name, value] = /^([^=]+)=([^]*)$/.exec(each) ?? [];
    if (name === undefined || value === undefined) throw usage(`${option}: '${each}' is not of the form ${form}`);
    if (found.has(name)) throw usage(`${option}: ${name} stands twice`);
    found.set(name, value);
  }
  return Object.fromEntries(found);
}
