import type { WireTicket, WireTicketGraph } from '../../../contract/tickets.ts';
import type { Output } from '../context.ts';
import { painted, printable, styled, width } from '../output/text.ts';

/** The graph as lines: epics, then what is done in them. What can be done first stands first, each step deeper is one more indent, and arrows name what is waited for. */
export function drawGraph({ nodes, edges, ready, critical_path }: WireTicketGraph, out: Output): string {
  if (nodes.length === 0) return 'There are no tickets yet.';
  const before = groupedBy(edges);
  const depths = depthOf(
    nodes.map(({ id }) => id),
    before,
  );
  const work = nodes.filter(({ type }) => type !== 'epic');
  const isCritical = new Set(critical_path);
  const order = (ticket: WireTicket): number => (ticket.type === 'epic' ? -1 : (depths.get(ticket.id) ?? 0));
  const sorted = [...nodes].sort((a, b) => order(a) - order(b) || a.id.localeCompare(b.id, 'en', { numeric: true }));
  const idWidth = Math.max(...nodes.map(({ id }) => width(id)));
  const statusWidth = Math.max(...nodes.map(node => shownStatus(node).length));
  const line = (ticket: WireTicket): string => {
    const indent = '  '.repeat(Math.min(depths.get(ticket.id) ?? 0, indentMax));
    const mark = isCritical.has(ticket.id) ? '*' : ' ';
    const status = painted(out, ticket.status, shownStatus(ticket).padEnd(statusWidth));
    const waits = before.get(ticket.id) ?? [];
    const arrow = waits.length === 0 ? '' : styled(out, 'dim', `  <- ${waits.join(', ')}`);
    return `${mark} ${ticket.id.padEnd(idWidth)}  ${status}  ${indent}${printable(ticket.title)}${arrow}`;
  };
  const done = work.filter(({ status }) => status === 'completed');
  const unproven = done.filter(({ proof }) => proof === 'unproven').length;
  return [
    ...sorted.map(line),
    '',
    `done           ${done.length} of ${work.length}${unproven === 0 ? '' : `, ${unproven} of them unproven: no check has run`}`,
    `ready          ${ready.length === 0 ? 'none' : ready.join(', ')}`,
    `critical path  ${critical_path.length === 0 ? 'none' : critical_path.join(' -> ')}`,
  ].join('\n');
}

/** What is done and was not checked does not look like what is done. */
export function shownStatus({ status, proof }: Pick<WireTicket, 'status' | 'proof'>): string {
  return proof === null ? status : `${status}, ${proof}`;
}

/** Deeper than this nothing is indented further, or a long chain would leave the screen. */
const indentMax = 12;

/** For each ticket the length of the longest chain that leads to it. Without recursion: a chain can have thousands of links. */
export function depthOf(ids: readonly string[], before: ReadonlyMap<string, readonly string[]>): Map<string, number> {
  const depths = new Map<string, number>();
  const known = new Set(ids);
  const waiting = new Map(ids.map(id => [id, (before.get(id) ?? []).filter(other => known.has(other))]));
  const after = new Map<string, string[]>();
  for (const [id, others] of waiting) for (const other of others) push(after, other, id);
  const open = new Map([...waiting].map(([id, others]) => [id, others.length]));
  let layer = ids.filter(id => open.get(id) === 0);
  for (let depth = 0; layer.length > 0; depth += 1) {
    const next: string[] = [];
    for (const id of layer) {
      depths.set(id, depth);
      for (const follower of after.get(id) ?? []) {
        const left = (open.get(follower) ?? 0) - 1;
        open.set(follower, left);
        if (left === 0) next.push(follower);
      }
    }
    layer = next;
  }
  return depths;
}

function groupedBy(edges: WireTicketGraph['edges']): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { ticket_id, depends_on } of edges) push(groups, ticket_id, depends_on);
  return groups;
}

function push(groups: Map<string, string[]>, key: string, value: string): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}
