import type { SpecCard } from '../../../../contract/spec-card.ts';
import { findCycle } from '../../../kernel/graph.ts';

/** What is wrong with a card beyond its shape, one sentence each with the place. */
export interface CardFinding {
  readonly path: string;
  readonly message: string;
  readonly kind: 'duplicate' | 'unknown' | 'cycle';
}

/** Titles must be unique, since dependencies name them; each dependency must exist; and they must not run in a circle. */
export function judgeCard(card: SpecCard): CardFinding[] {
  const places = new Map<string, number>();
  const findings: CardFinding[] = [];
  card.features.forEach(({ title }, index) => {
    const first = places.get(title);
    if (first === undefined) places.set(title, index);
    else
      findings.push(
        at(
          `features[${index}].title`,
          'duplicate',
          `"${title}" is the title of features[${first}] too; dependencies name features by title`,
        ),
      );
  });
  card.features.forEach(({ depends_on = [] }, index) => {
    for (const name of depends_on) {
      if (!places.has(name))
        findings.push(at(`features[${index}].depends_on`, 'unknown', `there is no feature titled "${name}"`));
    }
  });
  if (findings.length > 0) return findings;
  const cycle = findCycle(card.features.map(({ title, depends_on = [] }) => ({ id: title, needs: depends_on })));
  if (cycle === undefined) return [];
  return [
    at(`features[${places.get(cycle[0] ?? '') ?? 0}].depends_on`, 'cycle', `the dependencies form a cycle: ${cycle.join(' → ')}`),
  ];
}

function at(path: string, kind: CardFinding['kind'], message: string): CardFinding {
  return { path, message, kind };
}
