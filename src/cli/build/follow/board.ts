import type { WireEvent } from '../../../../contract/events.ts';
import type { Proof } from '../../../../contract/results.ts';
import { subjectTypes } from '../../../../contract/runs.ts';
import { ticketStatuses } from '../../../../contract/tickets.ts';
import type { WireTicket, WireTicketGraph } from '../../../../contract/tickets.ts';
import { depthOf } from '../../ticket/drawing.ts';

export type TicketStatus = WireTicket['status'];
type RunKind = (typeof subjectTypes)[number];

/** One ticket as it is watched. Times are milliseconds since the epoch, by the server's clock. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly needs: readonly string[];
  /** Links of the longest chain that leads to it. */
  readonly depth: number;
  readonly status: TicketStatus;
  readonly reason: string | null;
  readonly proof: Proof | null;
  readonly attempts: number;
  /** When the present status began; undefined: before we looked. */
  readonly since: number | undefined;
  /** When it was first claimed, while we looked. */
  readonly begun: number | undefined;
  readonly ended: number | undefined;
  /** What a worker does for it right now. */
  readonly run: LiveRun | undefined;
}

export interface LiveRun {
  readonly id: string;
  readonly kind: RunKind;
  readonly since: number;
}

/** A ticket that has come into another status. */
export interface Move {
  readonly row: Row;
  readonly from: TicketStatus;
  readonly at: number;
}

/** The tickets of a build, kept up to date by events; what an event does not tell is loaded. */
export interface Board {
  /** In the order of the graph: what can be done first, first. */
  rows(): readonly Row[];
  row(id: string): Row | undefined;
  /** What the server says now. What moved meanwhile comes back. */
  load(tickets: readonly WireTicket[], at: number): readonly Move[];
  /** Undefined where the event is of no ticket here, or changes no status. */
  apply(event: WireEvent): Move | undefined;
  /** The whole truth about one ticket, such as its reason and its proof. */
  learn(ticket: WireTicket): void;
}

export function createBoard(graph: Pick<WireTicketGraph, 'nodes'>): Board {
  const work = graph.nodes.filter(({ type }) => type !== 'epic');
  const depths = depthOf(
    work.map(({ id }) => id),
    new Map(work.map(({ id, depends_on }) => [id, depends_on])),
  );
  const sorted = [...work].sort(
    (a, b) => (depths.get(a.id) ?? 0) - (depths.get(b.id) ?? 0) || a.id.localeCompare(b.id, 'en', { numeric: true }),
  );
  const rows = new Map(sorted.map(ticket => [ticket.id, firstRow(ticket, depths.get(ticket.id) ?? 0)]));
  /** When what we know of a ticket was written: events from before tell nothing new. */
  const known = new Map(work.map(ticket => [ticket.id, Date.parse(ticket.updated_at)]));

  function learn(ticket: WireTicket): void {
    const row = rows.get(ticket.id);
    // Of a ticket that has moved on since it was read nothing is to be learnt.
    if (row === undefined || row.status !== ticket.status) return;
    const { status_reason: reason, proof, attempts } = ticket;
    rows.set(row.id, { ...row, reason, proof, attempts: Math.max(attempts, row.attempts) });
    known.set(row.id, Date.parse(ticket.updated_at));
  }

  function add(ticket: WireTicket): void {
    const depth = 1 + Math.max(-1, ...ticket.depends_on.map(need => rows.get(need)?.depth ?? -1));
    rows.set(ticket.id, firstRow(ticket, depth));
  }

  function move(id: string, status: TicketStatus, { at, reason }: { at: number; reason: string | null }): Move | undefined {
    const before = rows.get(id);
    if (before === undefined || before.status === status) return undefined;
    const row = moved(before, status, { at, reason });
    rows.set(id, row);
    return { row, from: before.status, at };
  }

  return {
    rows: () => [...rows.values()],
    row: id => rows.get(id),
    load(tickets, at) {
      return tickets.flatMap(ticket => {
        if (ticket.type === 'epic') return [];
        if (!rows.has(ticket.id)) add(ticket);
        const change = move(ticket.id, ticket.status, { at, reason: ticket.status_reason });
        learn(ticket);
        const row = rows.get(ticket.id);
        return change === undefined || row === undefined ? [] : [{ ...change, row }];
      });
    },
    apply(event) {
      const at = Date.parse(event.at);
      if (event.subject.type === 'run') {
        followRun(rows, event, at);
        return undefined;
      }
      const status = statusOf(event);
      const reason = event.payload['reason'];
      const isOld = at < (known.get(event.subject.id) ?? 0);
      return status === undefined || isOld
        ? undefined
        : move(event.subject.id, status, { at, reason: typeof reason === 'string' ? reason : null });
    },
    learn,
  };
}

/** Statuses in which a worker or the merge queue is busy with a ticket. */
export const activeStatuses: ReadonlySet<TicketStatus> = new Set(['claimed', 'running', 'verifying', 'merging'] as const);
/** Those that nothing moves any more. */
export const finalStatuses: ReadonlySet<TicketStatus> = new Set(['completed', 'failed', 'cancelled'] as const);

function firstRow(ticket: WireTicket, depth: number): Row {
  const { id, title, depends_on: needs, status, status_reason: reason, proof, attempts } = ticket;
  return {
    id,
    title,
    needs,
    depth,
    status,
    reason,
    proof,
    attempts,
    since: undefined,
    begun: undefined,
    ended: undefined,
    run: undefined,
  };
}

function moved(row: Row, status: TicketStatus, { at, reason }: { at: number; reason: string | null }): Row {
  // Of what was at work already when we first looked, nobody knows since when.
  const begins = activeStatuses.has(status) && !activeStatuses.has(row.status);
  const begun = row.begun ?? (begins ? at : undefined);
  return { ...row, status, reason, since: at, begun, ended: finalStatuses.has(status) ? at : undefined };
}

const runBegins: ReadonlySet<string> = new Set(['run.leased', 'run.started']);
const runEnds: ReadonlySet<string> = new Set([
  'run.submitted',
  'run.accepted',
  'run.returned',
  'run.failed',
  'run.lost',
  'run.cancelled',
  'run.exhausted',
]);

function followRun(rows: Map<string, Row>, { type, subject, payload }: WireEvent, at: number): void {
  const row = rows.get(String(payload['ticketId'] ?? payload['subject']));
  if (row === undefined) return;
  const attempt = typeof payload['attempt'] === 'number' ? payload['attempt'] : 0;
  const kind = subjectTypes.find(kind => kind === payload['subjectType']) ?? 'ticket';
  const attempts = kind === 'ticket' ? Math.max(row.attempts, attempt) : row.attempts;
  if (runBegins.has(type)) rows.set(row.id, { ...row, attempts, run: { id: subject.id, kind, since: at } });
  else if (runEnds.has(type) && row.run?.id === subject.id) rows.set(row.id, { ...row, run: undefined });
}

function statusOf({ type, subject, payload }: WireEvent): TicketStatus | undefined {
  if (subject.type !== 'ticket' || !type.startsWith('ticket.')) return undefined;
  const said = payload['status'] ?? type.slice('ticket.'.length);
  return type === 'ticket.created' || type === 'ticket.changed' ? undefined : ticketStatuses.find(status => status === said);
}
