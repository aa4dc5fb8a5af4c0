import { toWire } from '../../../contract/case.ts';
import type { WireTicket } from '../../../contract/tickets.ts';
import type { TicketRow } from './tickets.sql.ts';

export function wireTicket(row: TicketRow): WireTicket {
  return toWire(row);
}
