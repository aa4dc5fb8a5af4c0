import { change, changeList } from '../../../contract/changes.ts';
import type { WireChange } from '../../../contract/changes.ts';
import type { Context } from '../context.ts';
import { Fault } from '../../kernel/fault.ts';
import { shortId, ticketId, wholeId } from '../input/id.ts';
import { fields } from '../output/table.ts';
import { painted } from '../output/text.ts';

interface Filter {
  readonly state?: string | undefined;
  readonly ticket_id?: string | undefined;
  readonly trunk_id?: string | undefined;
}

/** The newest changes, newest first. */
export async function changes({ client }: Context, filter: Filter, limit = listMax): Promise<WireChange[]> {
  return (await client.request('GET', '/api/changes', { query: { ...filter, limit }, schema: changeList })).changes;
}

const listMax = 500;

/** A change by its id, which may be shortened, or by that of its ticket. */
export async function findChange(context: Context, given: string): Promise<WireChange> {
  if (/^(tkt-)?\d{1,9}$/i.test(given) && !/^\d{8}$/.test(given)) return ofTicket(context, ticketId(given));
  const id = await wholeId(given, {
    noun: 'change',
    notFound: 'change_not_found',
    all: async () => (await changes(context, {})).map(({ id }) => id),
  });
  return context.client.request('GET', `/api/changes/${id}`, { schema: change });
}

async function ofTicket(context: Context, id: string): Promise<WireChange> {
  const [found] = await changes(context, { ticket_id: id });
  if (found === undefined) {
    throw new Fault('change_not_found', {
      message: `${id} has no change: nothing that was handed in has passed its review yet`,
      hint: `See: skep review list --ticket ${id}`,
    });
  }
  return found;
}

export function changeText({ out }: Context, it: WireChange): string {
  const text = fields([
    ['id', it.id],
    ['ticket', `${it.ticket_id}  ${it.title}`],
    ['state', it.state, text => painted(out, it.state === 'open' && it.approval === 'needed' ? 'waiting' : it.state, text)],
    ['approval', approvalText(it)],
    ['flags', it.flags.map(({ what }) => what).join('\n')],
    ['conflict', it.conflict_files.join('\n')],
    ['reason', it.reason],
    ['head', it.head_sha],
    ['base', it.base_sha],
    ['merge', it.merge_sha],
    ['review', it.review_id],
    ['run', it.run_id],
    ['created', it.created_at],
    ['merged', it.merged_at],
  ]);
  return waits(it) ? `${text}\nnext  skep change diff ${it.ticket_id}; then: skep change approve ${it.ticket_id}` : text;
}

export function waits({ state, approval }: WireChange): boolean {
  return state === 'open' && approval === 'needed';
}

function approvalText({ approval, head_sha }: WireChange): string | null {
  if (approval === 'not_needed') return null;
  return approval === 'given' ? `given to ${shortId(head_sha)}` : 'needed';
}
