import type { SpecCard } from '../../../../contract/spec-card.ts';
import { chainLengths } from '../../../kernel/graph.ts';
import { formatTicketId, type TicketStatus, type TicketType } from './ticket.ts';

export interface PlannedTicket {
  readonly id: string;
  readonly number: number;
  readonly type: TicketType;
  readonly title: string;
  readonly description: string;
  readonly acceptanceCriteria: readonly string[];
  readonly status: TicketStatus;
  readonly parentId: string | null;
  readonly needs: readonly string[];
  readonly chain: number;
  readonly files: readonly string[];
}

/**
 * The tickets of a card that was judged good: one for each feature, in its order, with the numbers after `lastNumber`, and the
 * epic after them. So the first ticket of a tenant, TKT-001, is one that can be run.
 */
export function planTickets(card: SpecCard, lastNumber: number): { epic: PlannedTicket; tickets: PlannedTicket[] } {
  const idOf = new Map(card.features.map(({ title }, index) => [title, formatTicketId(lastNumber + 1 + index)]));
  const needsOf = (names: readonly string[]) => [...new Set(names)].map(name => idOf.get(name)).filter(id => id !== undefined);
  const chains = chainLengths(
    card.features.map(({ title, depends_on = [] }) => ({ id: idOf.get(title) ?? '', needs: needsOf(depends_on) })),
  );
  const epicNumber = lastNumber + card.features.length + 1;
  const epicId = formatTicketId(epicNumber);
  const tickets = card.features.map(({ title, description, acceptance_criteria, depends_on = [], files = [] }, index) => {
    const number = lastNumber + 1 + index;
    const id = formatTicketId(number);
    const needs = needsOf(depends_on);
    return {
      id,
      number,
      type: 'feature' as const,
      title,
      description,
      acceptanceCriteria: acceptance_criteria,
      status: needs.length === 0 ? ('ready' as const) : ('blocked' as const),
      parentId: epicId,
      needs,
      chain: chains.get(id) ?? 0,
      files: [...new Set(files)],
    };
  });
  const epic: PlannedTicket = {
    id: epicId,
    number: epicNumber,
    type: 'epic',
    title: card.name,
    description: card.description,
    acceptanceCriteria: card.technical_requirements,
    status: 'running',
    parentId: null,
    needs: [],
    chain: 0,
    files: [],
  };
  return { epic, tickets };
}
