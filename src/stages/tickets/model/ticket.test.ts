import { expect, test } from 'vitest';
import { ticketStatuses } from '../../../../contract/tickets.ts';
import { move } from '../../../kernel/machine.ts';
import { epicStatus, leavesEpicRunning, ticketMachine, type TicketStatus, type TicketVerb } from './ticket.ts';

const of = (...statuses: TicketStatus[]) => epicStatus(new Set(statuses));
/** Every mixture of statuses that the other children of an epic can have. */
const mixtures = Array.from({ length: 2 ** ticketStatuses.length }, (_, bits) =>
  ticketStatuses.filter((_, i) => (bits >> i) % 2 === 1),
);
const verbs: readonly TicketVerb[] = ['ready', 'block', 'claim', 'run', 'verify', 'merge', 'complete', 'wait', 'fail', 'cancel'];

test('an epic is what its children make it', () => {
  expect(of()).toBe('running');
  expect(of('cancelled')).toBe('cancelled');
  expect(of('completed')).toBe('completed');
  expect(of('completed', 'cancelled')).toBe('completed');
  expect(of('failed', 'completed', 'blocked')).toBe('failed');
  expect(of('failed', 'ready')).toBe('running');
  expect(of('blocked', 'completed')).toBe('running');
});

test('a move that is said to leave its epic running does so, whatever the other children are', () => {
  const quiet = verbs.filter(verb => leavesEpicRunning(move(ticketMachine, verb)));
  expect(quiet).toEqual(['claim', 'run', 'verify', 'merge', 'wait']);
  for (const { from, to } of quiet.map(verb => move(ticketMachine, verb)))
    for (const own of [...from, to]) for (const others of mixtures) expect(of(own, ...others)).toBe('running');
});
