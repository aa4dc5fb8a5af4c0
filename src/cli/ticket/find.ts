import type { Command } from 'commander';
import { Option } from 'commander';
import { ticket, ticketList, ticketStatuses, ticketTypes } from '../../../contract/tickets.ts';
import type { WireTicket } from '../../../contract/tickets.ts';
import { usage } from '../command.ts';
import type { Context, RemoteOptions } from '../context.ts';
import { isUuid, ticketId } from '../input/id.ts';
import { allPages } from '../output/list.ts';
import { fields } from '../output/table.ts';
import { painted } from '../output/text.ts';
import { findProject } from '../project/find.ts';
import { allSessions, sessionId } from '../session/find.ts';

export interface FilterOptions extends RemoteOptions {
  readonly status?: string;
  readonly type?: string;
  readonly project?: string;
  readonly session?: string;
  readonly spec?: string;
  readonly parent?: string;
}

type Query = Readonly<Record<string, string | undefined>>;

export function withFilter(command: Command): Command {
  return command
    .addOption(new Option('--status <status>', 'only those in this state').choices([...ticketStatuses]))
    .addOption(new Option('--type <type>', 'only those of this type').choices([...ticketTypes]))
    .option('--project <name>', 'only those of this project')
    .option('--session <id>', 'only those of this session')
    .option('--spec <id>', 'only those of this spec')
    .option('--parent <id>', 'only the children of this ticket');
}

export async function queryOf(context: Context, options: FilterOptions): Promise<Query> {
  const { status, type, project, session, spec, parent } = options;
  return {
    status,
    type,
    project_id: project === undefined ? undefined : (await findProject(context, project)).id,
    session_id: session === undefined ? undefined : await sessionId(context, session),
    spec_id: spec === undefined ? undefined : await specId(context, spec),
    parent_id: parent === undefined ? undefined : ticketId(parent),
  };
}

/** The whole id of a spec, from one that may be shortened: every spec belongs to a session. */
export async function specId(context: Context, given: string): Promise<string> {
  if (isUuid(given)) return given.toLowerCase();
  const ids = (await allSessions(context)).flatMap(({ spec_id }) => (spec_id === null ? [] : [spec_id]));
  const matching = ids.filter(id => id.startsWith(given.toLowerCase()));
  const [only, second] = matching;
  if (given.length >= 4 && only !== undefined && second === undefined) return only;
  throw usage(`'${given}' is not the beginning of exactly one spec`, 'The spec of a session: skep session show ID');
}

export function tickets({ client }: Context, query: Query, max?: number): AsyncIterable<readonly WireTicket[]> {
  return allPages(async (after, limit) => {
    const page = await client.request('GET', '/api/tickets', { query: { ...query, after, limit }, schema: ticketList });
    return { rows: page.tickets, next: page.next };
  }, max);
}

export async function findTicket({ client }: Context, given: string): Promise<WireTicket> {
  return client.request('GET', `/api/tickets/${ticketId(given)}`, { schema: ticket });
}

/** So many paths are shown; --json has all. */
const touchedCountMax = 20;

function touchedText({ observed }: WireTicket): string {
  const more = observed.length - touchedCountMax;
  return [...observed.slice(0, touchedCountMax), ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

export function ticketText({ out }: Context, it: WireTicket): string {
  const shown = fields([
    ['id', it.id],
    ['title', it.title],
    ['type', it.type],
    ['status', it.status, text => painted(out, text)],
    ['reason', it.status_reason],
    ['proof', it.proof],
    ['parent', it.parent_id],
    ['depends on', it.depends_on.join(', ')],
    ['files', it.files.join('\n')],
    ['touched', touchedText(it)],
    ['priority', it.priority],
    ['estimate', it.estimate],
    ['attempts', it.attempts],
    ['sandbox', it.assigned_vm],
    ['branch', it.branch_name],
    ['pull request', it.pr_url],
    ['criteria', it.acceptance_criteria.map(line => `- ${line}`).join('\n')],
    ['description', it.description],
    ['created', it.created_at],
    ['updated', it.updated_at],
  ]);
  return it.status === 'failed' ? `${shown}\nnext  skep ticket log ${it.id}; then: skep ticket retry ${it.id}` : shown;
}
