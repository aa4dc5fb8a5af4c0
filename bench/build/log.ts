import { eventPage, type WireEvent } from '../../contract/events.ts';
import type { Client } from '../../src/client/index.ts';

export type Log = readonly WireEvent[];

/** All events of a server, page by page. */
export async function allEvents(client: Client): Promise<Log> {
  const events: WireEvent[] = [];
  for (let after: string | undefined; ; ) {
    const query = { limit: 500, ...(after === undefined ? {} : { after }) };
    const page = await client.request('GET', '/api/events', { query, schema: eventPage });
    if (page.events.length === 0) return events;
    events.push(...page.events);
    after = page.next;
  }
}

/** Where the time of a ticket goes, in milliseconds; in the order in which it passes. */
export const phases = [
  'waits for a worker',
  'sandbox and check-out',
  'agent, collect, upload',
  'taken in, merged for the review',
  'waits for a worker again',
  'sandbox, check-out and checks',
  'verdict, merge queue, landing',
] as const;

export type Phases = Readonly<Record<(typeof phases)[number], number>>;

/** Of each ticket that was built without a second attempt or review. */
export function phasesOf(log: Log): Phases[] {
  const byTicket = new Map<string, WireEvent[]>();
  for (const event of log) {
    const ticket = event.subject.type === 'ticket' ? event.subject.id : event.payload['ticketId'];
    if (typeof ticket === 'string') byTicket.set(ticket, [...(byTicket.get(ticket) ?? []), event]);
  }
  return [...byTicket.values()].map(phasesOfTicket).filter(found => found !== undefined);
}

function phasesOfTicket(events: readonly WireEvent[]): Phases | undefined {
  const times = (type: string, subject?: string): number[] =>
    events
      .filter(event => event.type === type && (subject === undefined || event.payload['subjectType'] === subject))
      .map(event => Date.parse(event.at));
  const marks = [
    times('run.queued', 'ticket'),
    times('run.leased', 'ticket'),
    times('run.started', 'ticket'),
    times('run.submitted', 'ticket'),
    times('run.queued', 'review'),
    times('run.leased', 'review'),
    times('run.submitted', 'review'),
    times('change.merged'),
  ];
  if (marks.some(found => found.length !== 1)) return undefined;
  const at = marks.map(([time = 0]) => time);
  return Object.fromEntries(phases.map((phase, index) => [phase, (at[index + 1] ?? 0) - (at[index] ?? 0)])) as Phases;
}

/** From the merge of a ticket's change to the claim of each ticket that it made ready, in milliseconds, as the database tells the time. */
export function mergedToClaimed(log: Log): number[] {
  const first = (type: string, key: string, value: unknown) =>
    log.find(event => event.type === type && event.payload[key] === value && event.payload['subjectType'] !== 'review');
  return log
    .filter(event => event.type === 'ticket.ready' && typeof event.payload['after'] === 'string')
    .flatMap(ready => {
      const merged = first('change.merged', 'ticketId', ready.payload['after']);
      const leased = first('run.leased', 'subject', ready.subject.id);
      return merged === undefined || leased === undefined ? [] : [Date.parse(leased.at) - Date.parse(merged.at)];
    });
}
