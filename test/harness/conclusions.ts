import { listResults } from '../../src/stages/specs/index.ts';
import { claimResult, concludeSpec, judgeResult } from '../../src/stages/changes/conclude/conclude.ts';
import { cancelTicket } from '../../src/stages/tickets/index.ts';
import { buildForTests, type Built } from './merged.ts';
import type { Stages } from './stages.ts';

const card = {
  name: 'thing',
  technical_requirements: ['no new dependency', 'fast'],
  features: [
    { title: 'a', acceptance_criteria: ['it works', 'fast'] },
    { title: 'b', acceptance_criteria: ['it is told'] },
  ],
};

/** How a session and its spec stand before and after the end. */
export const open = { session: 'building', spec: 'executing_tasks', phase: 'EXECUTE' };
export const done = { session: 'completed', spec: 'completed', phase: 'COMPLETE' };

/** The verbs by which specs end, on the stages of the test that runs. */
export function conclusionsOn(stages: () => Stages) {
  return {
    built: (features: { title: string; acceptance_criteria?: string[] }[] = card.features) =>
      buildForTests(stages(), { ...card, features }),
    conclude: ({ specId }: Built) => stages().app(tx => concludeSpec(tx, specId)),
    results: ({ specId }: Built) => stages().app(tx => listResults(tx, specId)),
    claim: ({ specId }: Built, summary = 'done') => stages().app(tx => claimResult(tx, specId, summary)),
    validate: (id: string | undefined) => stages().app(tx => judgeResult(tx, id ?? '', { valid: true, reason: '' })),
    reject: (id: string | undefined, reason = 'not what was meant') =>
      stages().app(tx => judgeResult(tx, id ?? '', { valid: false, reason })),
    cancel: (id: string | undefined) => stages().app(tx => cancelTicket(tx, id ?? '', { reason: 'no need', cascade: true })),
    /** What happened to results, specs and sessions since the build began. */
    async told(): Promise<string[]> {
      const rows = await stages().sql<{ type: string }>(
        `select type from events where type like 'result.%' or type in ('spec.completed', 'session.completed', 'session.cancelled') order by id`,
      );
      return rows.map(row => row.type);
    },
  };
}
