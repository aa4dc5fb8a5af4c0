import type { Command } from 'commander';
import type { limitScopes, WireLimit } from '../../../contract/fleet/limits.ts';
import { usage } from '../command.ts';
import type { Context, RemoteOptions } from '../context.ts';
import { shortId } from '../input/id.ts';
import { findProject } from '../project/find.ts';

export interface ScopeOptions extends RemoteOptions {
  readonly tenant?: boolean;
  readonly project?: string;
  readonly agent?: string;
  readonly worker?: string;
}

export function withScope(command: Command): Command {
  return command
    .option('--tenant', 'of all that is done here')
    .option('--project <name>', 'of a project')
    .option('--agent <kind>', 'of a kind of agent, such as codex')
    .option('--worker <name>', 'of a worker; beside its slots');
}

const scopes = ['tenant', 'project', 'agent', 'worker'] as const satisfies typeof limitScopes;

/** The one scope that was named. Throws Fault `invalid_request` for none or several, `project_not_found`. */
export async function scopeOf(context: Context, options: ScopeOptions): Promise<Pick<WireLimit, 'scope' | 'scope_id'>> {
  const [only, second] = scopes.flatMap(scope => {
    const given = options[scope];
    return given === undefined ? [] : [{ scope, given }];
  });
  if (only === undefined || second !== undefined) {
    throw usage('Give one of --tenant, --project, --agent and --worker', 'Such as: --project Todo');
  }
  const { scope, given } = only;
  if (typeof given === 'boolean') return { scope, scope_id: '' };
  return { scope, scope_id: scope === 'project' ? (await findProject(context, given)).id : given };
}

/** What a limit is of, as people say it. */
export function ownerText({ scope, scope_id }: WireLimit, projects: ReadonlyMap<string, string>): string {
  if (scope === 'tenant') return 'everything';
  return `${scope} ${scope === 'project' ? (projects.get(scope_id) ?? shortId(scope_id)) : scope_id}`;
}
