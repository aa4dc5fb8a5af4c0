/** Tickets: the pieces of work and the graph between them. */
export { ticketFollowsClaim } from './tickets.sql.ts';
export { cancelTicket, cancelTicketsOf, editTicket, getTicket, openTicket, retryTicket } from './verbs.ts';
export { wireTicket } from './wire.ts';
export { completeTicket, failTicket, keepTicket, sendTicketBack, ticketStarted, ticketSubmitted, unclaimTicket } from './work.ts';
