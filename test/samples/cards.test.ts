import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { specCard } from '../../contract/spec-card.ts';
import { judgeCard } from '../../src/stages/specs/model/card.ts';
import { planTickets } from '../../src/stages/tickets/model/plan.ts';
import { temporaryFolder } from '../harness/worker.ts';
import { stamper } from './agents.ts';
import { cardOf, shapeNames } from './cards.ts';
import { act } from './run.ts';

const cases = shapeNames.flatMap(shape => [5, 50, 500].map(count => [count, shape] as const));

describe('cards', () => {
  it.each(cases)('%d features as %s are a good card, and the same one each time', (count, shape) => {
    const card = specCard.parse(cardOf(count, shape));
    expect(judgeCard(card)).toEqual([]);
    expect(card.features).toHaveLength(count);
    expect(cardOf(count, shape)).toEqual(cardOf(count, shape));
  });

  it.each([
    ['loose', 500, 1],
    ['chain', 1, 500],
    ['diamonds', 1, 334],
    ['layers', 23, 22],
    ['product', 1, 6],
  ] as const)('500 as %s: %d can start at once, the longest chain has %d', (shape, starts, longest) => {
    const { tickets } = planTickets(specCard.parse(cardOf(500, shape)), 0);
    const byId = new Map(tickets.map(ticket => [ticket.id, ticket]));
    const depths = new Map<string, number>();
    for (const { id } of tickets) {
      depths.set(id, 1 + Math.max(0, ...(byId.get(id)?.needs ?? []).map(need => depths.get(need) ?? Number.NaN)));
    }
    expect(tickets.filter(({ status }) => status === 'ready')).toHaveLength(starts);
    expect(Math.max(...depths.values())).toBe(longest);
  });

  it('their agent writes one file', () => {
    const folder = temporaryFolder();
    expect(act(stamper, { folder }).status).toBe(0);
    expect(readFileSync(join(folder, 'work/TKT-001.txt'), 'utf8')).toBe('TKT-001\n');
  });
});
