import type { Machine } from '../../../src/kernel/machine.ts';
import { changeMachine } from '../../../src/stages/changes/model/change.ts';
import { reviewMachine } from '../../../src/stages/reviews/model/review.ts';
import { runMachine } from '../../../src/stages/runs/model/run.ts';
import { sessionMachine } from '../../../src/stages/sessions/model/session.ts';
import { specMachine } from '../../../src/stages/specs/model/spec.ts';
import { ticketMachine } from '../../../src/stages/tickets/model/ticket.ts';
import { questionMachine } from '../../../src/support/questions/model/question.ts';
import { trunkMachine } from '../../../src/support/repositories/model/trunk.ts';
import type { Rule, TableName, Violate } from './types.ts';

type AnyMachine = Machine<string, string>;

interface Walk {
  readonly column: 'state' | 'status';
  readonly machine: AnyMachine;
  /** In one commit. */
  readonly stepsMax: number;
}

const walks: Readonly<Partial<Record<TableName, Walk>>> = {
  runs: { column: 'state', machine: runMachine, stepsMax: 1 },
  tickets: { column: 'status', machine: ticketMachine, stepsMax: 2 },
  trunks: { column: 'state', machine: trunkMachine, stepsMax: 2 },
  changes: { column: 'state', machine: changeMachine, stepsMax: 2 },
  reviews: { column: 'state', machine: reviewMachine, stepsMax: 2 },
  sessions: { column: 'state', machine: sessionMachine, stepsMax: 1 },
  specs: { column: 'status', machine: specMachine, stepsMax: 1 },
  questions: { column: 'state', machine: questionMachine, stepsMax: 1 },
};

/** Every row goes a way that its machine has. An epic has none: its status follows its tickets. */
export function createPaths(violate: Violate): Rule {
  const reachable = new Map<string, ReadonlySet<string>>();
  return {
    look({ changes }) {
      for (const { table, before, after } of changes) {
        const walk = walks[table];
        if (walk === undefined || before === undefined || after === undefined || after['type'] === 'epic') continue;
        const [from, to] = [String(before[walk.column]), String(after[walk.column])];
        if (from === to) continue;
        const key = `${table} ${from}`;
        const known = reachable.get(key) ?? within(walk, from);
        reachable.set(key, known);
        if (!known.has(to))
          violate('rows go the way of their machine', `${table} ${String(after['id'])} went from ${from} to ${to}`);
      }
    },
  };
}

function within({ machine, stepsMax }: Walk, from: string): ReadonlySet<string> {
  let seen = new Set([from]);
  for (let step = 0; step < stepsMax; step++)
    seen = new Set([...seen, ...[...seen].flatMap(state => Object.values(machine[state] ?? {}))] as string[]);
  return seen;
}
