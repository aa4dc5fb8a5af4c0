import type { Machine } from '../../src/kernel/machine.ts';
import { changeMachine } from '../../src/stages/changes/model/change.ts';
import { reviewMachine } from '../../src/stages/reviews/model/review.ts';
import { runMachine } from '../../src/stages/runs/model/run.ts';
import { sessionMachine } from '../../src/stages/sessions/model/session.ts';
import { resultMachine } from '../../src/stages/specs/model/result.ts';
import { specMachine } from '../../src/stages/specs/model/spec.ts';
import { ticketMachine } from '../../src/stages/tickets/model/ticket.ts';
import { questionMachine } from '../../src/support/questions/model/question.ts';
import { trunkMachine } from '../../src/support/repositories/model/trunk.ts';

interface Drawn {
  readonly title: string;
  readonly machine: Machine<string, string>;
  /** In which state a row is made. */
  readonly begins: readonly string[];
}

type Kind = 'session' | 'spec' | 'ticket' | 'run' | 'trunk' | 'review' | 'change' | 'result' | 'question';

export const machines: Readonly<Record<Kind, Drawn>> = {
  session: { title: 'Session', machine: sessionMachine, begins: ['input', 'clarifying'] },
  spec: { title: 'Spec', machine: specMachine, begins: ['draft', 'planning_complete'] },
  ticket: { title: 'Ticket', machine: ticketMachine, begins: ['pending', 'ready', 'blocked'] },
  run: { title: 'Run', machine: runMachine, begins: ['queued'] },
  trunk: { title: 'Trunk', machine: trunkMachine, begins: ['preparing'] },
  review: { title: 'Review', machine: reviewMachine, begins: ['pending'] },
  change: { title: 'Change', machine: changeMachine, begins: ['open', 'queued'] },
  result: { title: 'Result', machine: resultMachine, begins: ['submitted'] },
  question: { title: 'Question', machine: questionMachine, begins: ['pending'] },
};

/** docs/states.md: a picture of each machine. */
export function statesText(): string {
  const pictures = Object.values(machines).map(drawn => `## ${drawn.title}\n\n${picture(drawn)}`);
  return `${[
    '# States',
    'Made from the machines in the `model/` of each slice by `npm run generate`: do not edit. An arrow bears the verb that goes along it.',
    ...pictures,
  ].join('\n\n')}\n`;
}

function picture({ machine, begins }: Drawn): string {
  const lines = Object.entries(machine).flatMap(([state, verbs]) => arrowsFrom(state, verbs));
  return ['```mermaid', 'stateDiagram-v2', ...begins.map(state => `  [*] --> ${state}`), ...lines, '```'].join('\n');
}

function arrowsFrom(state: string, verbs: Readonly<Partial<Record<string, string>>>): string[] {
  const arrows = Object.entries(verbs).map(([verb, to]) => `  ${state} --> ${to ?? state}: ${verb}`);
  return arrows.length === 0 ? [`  ${state} --> [*]`] : arrows;
}
