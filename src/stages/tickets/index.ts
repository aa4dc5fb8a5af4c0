/** Tickets: the pieces of work and the graph between them. */
export type { TicketRow } from './tickets.sql.ts';
export { ticketFollowsClaim, ticketFollowsStart, ticketFollowsSubmission } from './tickets.sql.ts';
export { cancelTicket, cancelTicketsOf, editTicket, getTicket, openTicket, retryTicket, stopTicketsOf } from './verbs.ts';
export { wireTicket } from './wire.ts';
export {
  completeTicket,
  failTicket,
  holdTicket,
  keepTicket,
  mergeTicket,
  observeTicket,
  sendTicketBack,
  ticketStarted,
  ticketSubmitted,
  ticketWaits,
  ticketWaitsOn,
  unclaimTicket,
} from './work.ts';
