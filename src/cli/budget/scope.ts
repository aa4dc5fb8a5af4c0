import type { Command } from 'commander';
import { type BudgetScope, eachOne, type WireBudget } from '../../../contract/models/budgets.ts';
import { usage } from '../command.ts';
import type { Context, RemoteOptions } from '../context.ts';
import { shortId, ticketId } from '../input/id.ts';
import { findProject } from '../project/find.ts';
import { runId } from '../run/find.ts';
import { specId } from '../ticket/find.ts';

export interface ScopeOptions extends RemoteOptions {
  readonly tenant?: boolean;
  readonly project?: string;
  readonly spec?: string;
  readonly ticket?: string;
  readonly agent?: string;
  readonly run?: string;
}

/** What stands for each one of its kind on the command line; no shell makes file names of it. */
const each = 'each';

export function withScope(command: Command): Command {
  return command
    .option('--tenant', 'of all that is done here')
    .option('--project <name>', 'of a project')
    .option('--spec <id>', 'of a spec; may be shortened')
    .option('--ticket <id>', 'of a ticket')
    .option('--agent <kind>', 'of a kind of agent, such as codex; planner plans')
    .option('--run <id>', 'of a run; may be shortened')
    .addHelpText('after', `\n'${each}' in place of a name or an id: each one has its own, such as --ticket ${each}`);
}

/** The one scope that was named. Throws Fault `invalid_request` for none or several, and the `…_not_found` of what is named. */
export async function scopeOf(context: Context, options: ScopeOptions): Promise<Pick<WireBudget, 'scope' | 'scope_id'>> {
  const named = scopes.flatMap(scope => {
    const given = options[scope];
    return given === undefined ? [] : [{ scope, given }];
  });
  const [only, second] = named;
  if (only === undefined || second !== undefined) {
    throw usage(
      'Give one of --tenant, --project, --spec, --ticket, --agent and --run',
      'Such as: --project Todo, or --ticket each',
    );
  }
  const { scope, given } = only;
  if (typeof given === 'boolean') return { scope, scope_id: '' };
  return { scope, scope_id: given === each ? eachOne : await idOf(context, scope, given) };
}

const scopes = ['tenant', 'project', 'spec', 'ticket', 'agent', 'run'] as const satisfies readonly BudgetScope[];

async function idOf(context: Context, scope: BudgetScope, given: string): Promise<string> {
  switch (scope) {
    case 'project':
      return (await findProject(context, given)).id;
    case 'spec':
      return specId(context, given);
    case 'ticket':
      return ticketId(given);
    case 'run':
      return runId(context, given);
    default:
      return given;
  }
}

/** What a budget is for, as people say it. */
export function ownerText({ scope, scope_id, name }: WireBudget): string {
  if (scope === 'tenant') return 'everything';
  if (scope_id === eachOne) return `${each} ${scope}`;
  const id = scope === 'ticket' || scope === 'agent' ? scope_id : shortId(scope_id);
  return `${scope} ${name ?? id}`;
}

/** In money, tokens or both, as its caps are. */
export function amounts(it: WireBudget, of: 'cap' | 'spent' | 'reserved'): string {
  const money = it.cap_usd === null ? [] : [`$${it[`${of}_usd`] ?? ''}`];
  const tokens = it.cap_tokens === null ? [] : [`${it[`${of}_tokens`] ?? ''} tokens`];
  return [...money, ...tokens].join(', ');
}
