/** Tickets: the pieces of work and the graph between them. */
export { startBuild } from './build.ts';
export { ticketMachine, type TicketStatus } from './model/ticket.ts';
export { epicsOf, listTickets, readGraph } from './reads.ts';
export { type TicketRow, ticketFollowsClaim } from './tickets.sql.ts';
export { cancelTicket, cancelTicketsOf, editTicket, getTicket, openTicket, retryTicket } from './verbs.ts';
export { wireTicket } from './wire.ts';
export { completeTicket, failTicket, sendTicketBack, ticketStarted, ticketSubmitted } from './work.ts';
