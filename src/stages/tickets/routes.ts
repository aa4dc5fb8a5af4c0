import { z } from 'zod';
import { fromWire } from '../../../contract/case.ts';
import { ticketId } from '../../../contract/fields.ts';
import {
  graphFilter,
  ticket,
  ticketCancel,
  ticketCreate,
  ticketEdit,
  ticketFilter,
  ticketGraph,
  ticketList,
  ticketsChanged,
} from '../../../contract/tickets.ts';
import type { Database } from '../../db/database.ts';
import { decodeNumber, encodeCursor } from '../../http/cursor.ts';
import { type Api, callerOf } from '../../http/route.ts';
import { listTickets, readGraph } from './reads.ts';
import { cancelTicket, editTicket, getTicket, openTicket } from './verbs.ts';
import { wireTicket } from './wire.ts';

const byTicket = z.object({ id: ticketId });
const ticketCursor = 'ticket';

export function ticketRoutes(app: Api, database: Database): void {
  const read = { need: 'read' } as const;
  const write = { need: 'write' } as const;

  app.get('/tickets', { config: read, schema: { querystring: ticketFilter, response: { 200: ticketList } } }, async request => {
    const { after, limit, ...filter } = request.query;
    const page = { after: decodeNumber(ticketCursor, after), limit };
    const rows = await database.request(callerOf(request), tx => listTickets(tx, fromWire(filter), page));
    const last = rows.at(-1);
    return {
      tickets: rows.map(wireTicket),
      next: last !== undefined && rows.length === limit ? encodeCursor(ticketCursor, last.number) : null,
    };
  });

  app.get(
    '/tickets/graph',
    { config: read, schema: { querystring: graphFilter, response: { 200: ticketGraph } } },
    async request => {
      const graph = await database.request(callerOf(request), tx => readGraph(tx, request.query.spec_id));
      return {
        nodes: graph.nodes.map(wireTicket),
        edges: graph.edges.map(edge => ({ ticket_id: edge.ticketId, depends_on: edge.dependsOn })),
        ready: [...graph.ready],
        critical_path: [...graph.criticalPath],
      };
    },
  );

  app.post('/tickets', { config: write, schema: { body: ticketCreate, response: { 201: ticket } } }, async (request, reply) => {
    const made = await database.request(callerOf(request), tx => openTicket(tx, fromWire(request.body)));
    return reply.code(201).send(wireTicket(made));
  });

  app.get('/tickets/:id', { config: read, schema: { params: byTicket, response: { 200: ticket } } }, async request =>
    wireTicket(await database.request(callerOf(request), tx => getTicket(tx, request.params.id))),
  );

  app.patch(
    '/tickets/:id',
    { config: write, schema: { params: byTicket, body: ticketEdit, response: { 200: ticket } } },
    async request =>
      wireTicket(await database.request(callerOf(request), tx => editTicket(tx, request.params.id, fromWire(request.body)))),
  );

  app.post(
    '/tickets/:id/cancel',
    { config: write, schema: { params: byTicket, body: ticketCancel, response: { 200: ticketsChanged } } },
    async request => {
      const rows = await database.request(callerOf(request), tx => cancelTicket(tx, request.params.id, request.body));
      return { tickets: rows.map(wireTicket) };
    },
  );
}
