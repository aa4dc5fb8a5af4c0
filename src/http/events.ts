import { event, eventFilter, eventNames, eventPage, type EventType, type WireEvent } from '../../contract/events.ts';
import type { Database } from '../db/database.ts';
import { type EventRow, eventsAfter } from '../db/events.sql.ts';
import { decodeNumber, encodeCursor } from './cursor.ts';
import { type Api, callerOf } from './route.ts';

export const eventCursor = 'event';

export function toWireEvent(row: EventRow): WireEvent {
  return event.encode({
    cursor: encodeCursor(eventCursor, row.position),
    type: row.type,
    name: eventNames[row.type as EventType] ?? row.type,
    subject: { type: row.subjectType, id: row.subjectId },
    actor: row.actor,
    at: row.at.toISOString(),
    payload: row.payload,
  });
}

/** The log, page by page. */
export function eventRoutes(app: Api, database: Database): void {
  app.get(
    '/events',
    { config: { need: 'read' }, schema: { querystring: eventFilter, response: { 200: eventPage } } },
    async request => {
      const { after, subject, limit } = request.query;
      const from = decodeNumber(eventCursor, after);
      const caller = callerOf(request);
      const rows = await database.request(caller, tx => tx.query(eventsAfter, [caller.tenantId, from, limit, subject ?? null]));
      return { events: rows.map(toWireEvent), next: encodeCursor(eventCursor, rows.at(-1)?.position ?? from) };
    },
  );
}
