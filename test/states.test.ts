import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { approvals, changeStates } from '../contract/changes.ts';
import { planningStates } from '../contract/talk/planning.ts';
import { brakeStates } from '../contract/fleet/brake.ts';
import { limitScopes } from '../contract/fleet/limits.ts';
import { workerStates } from '../contract/fleet/workers.ts';
import { collisions, redBase, testChanges } from '../contract/projects.ts';
import { memoryKinds } from '../contract/talk/memories.ts';
import { questionKinds, questionStates } from '../contract/talk/questions.ts';
import { onResultFound, proofs, resultStates } from '../contract/results.ts';
import { reviewKinds, reviewStates } from '../contract/reviews.ts';
import { planningPhases, runHealths, runStates, subjectTypes } from '../contract/runs.ts';
import { isolationLevels } from '../contract/fleet/sandboxes.ts';
import { sessionStates, specPhases, specStatuses } from '../contract/sessions.ts';
import { ticketStatuses, ticketTypes } from '../contract/tickets.ts';
import { trunkStates } from '../contract/trunks.ts';
import { isFinal, type Machine, move } from '../src/kernel/machine.ts';
import { machines, statesText } from '../tidy/generate/states.ts';
import { readColumns, wordsOf } from '../tidy/generate/tables.ts';

const spoken = {
  session: { contract: sessionStates, table: 'sessions', column: 'state' },
  spec: { contract: specStatuses, table: 'specs', column: 'status' },
  ticket: { contract: ticketStatuses, table: 'tickets', column: 'status' },
  run: { contract: runStates, table: 'runs', column: 'state' },
  trunk: { contract: trunkStates, table: 'trunks', column: 'state' },
  review: { contract: reviewStates, table: 'reviews', column: 'state' },
  change: { contract: changeStates, table: 'changes', column: 'state' },
  result: { contract: resultStates, table: 'result_submissions', column: 'state' },
  question: { contract: questionStates, table: 'questions', column: 'state' },
} as const;

/** By which verb each is ended from outside; what is refused waits for a person, and a result for a decision. */
const endings: Readonly<Partial<Record<keyof typeof spoken, string>>> = {
  session: 'cancel',
  spec: 'cancel',
  ticket: 'cancel',
  run: 'cancel',
  review: 'give_up',
  change: 'close',
  question: 'expire',
};

let columns: ReturnType<typeof readColumns> | undefined;
const names = Object.keys(spoken) as (keyof typeof spoken)[];

describe.each(names)('the states of a %s', name => {
  const { machine, begins } = machines[name];
  const states = Object.keys(machine);

  test('are those of the contract and of the CHECK', async () => {
    const { contract, table, column } = spoken[name];
    expect(states.toSorted()).toEqual([...contract].toSorted());
    expect(await allowedIn(table, column)).toEqual(states.toSorted());
  });

  test('can all be reached, and from each that is not final there is a way to a final one', () => {
    expect([...reach(machine, begins)].toSorted()).toEqual(states.toSorted());
    for (const state of states) {
      const ends = [...reach(machine, [state])].filter(end => isFinal(machine, end));
      expect([state, ends.length > 0]).toEqual([state, true]);
    }
  });

  test('each verb leads to one state of the machine, and nowhere from a final one', () => {
    const verbs = new Set(states.flatMap(state => Object.keys(machine[state] ?? {})));
    expect(verbs.size).toBeGreaterThan(1);
    for (const verb of verbs) {
      const { to, from } = move(machine, verb);
      expect(states).toContain(to);
      expect(from.length).toBeGreaterThan(0);
      for (const state of from) expect(isFinal(machine, state)).toBe(false);
    }
  });

  test('can be ended from wherever it is not over', () => {
    const verb = endings[name];
    if (verb === undefined) return;
    // A failed ticket is over until a person retries it, and can be cancelled too; a closed change opens with that retry.
    const open = states.filter(state => !isFinal(machine, state) && state !== 'closed');
    expect(move(machine, verb).from.toSorted()).toEqual(open.toSorted());
  });
});

test.each([
  ['runs', 'subject_type', subjectTypes],
  ['runs', 'health', runHealths],
  ['projects', 'collisions', collisions.options],
  ['projects', 'isolation', isolationLevels],
  ['workers', 'state', workerStates],
  ['run_limits', 'scope', limitScopes],
  ['brakes', 'state', brakeStates],
  ['specs', 'phase', specPhases],
  ['plannings', 'state', planningStates],
  ['plannings', 'phase', planningPhases],
  ['tickets', 'type', ticketTypes],
  ['tickets', 'proof', proofs],
  ['projects', 'test_changes', testChanges.options],
  ['projects', 'red_base', redBase.options],
  ['trunks', 'red_base', redBase.options],
  ['reviews', 'kind', reviewKinds],
  ['changes', 'approval', approvals],
  ['questions', 'kind', questionKinds],
  ['memories', 'kind', memoryKinds],
  ['specs', 'on_result_found', onResultFound.options],
  ['result_submissions', 'proof', proofs],
] as const)('%s: the words of %s are those of the contract', async (table, column, contract) => {
  expect(await allowedIn(table, column)).toEqual([...contract].toSorted());
});

test('docs/states.md draws them: run npm run generate', () => {
  const text = readFileSync(join(import.meta.dirname, '../docs/states.md'), 'utf8');
  expect(text.split('\n')).toEqual(statesText().split('\n'));
});

test('a machine with a state that cannot be reached, or a verb of two minds, is told', () => {
  const broken: Machine<string, string> = { a: { go: 'b' }, b: { go: 'c' }, c: {}, island: {} };
  expect([...reach(broken, ['a'])]).toEqual(['a', 'b', 'c']);
  expect(() => move(broken, 'go')).toThrow('must lead to exactly one state');
  expect(() => move(broken, 'fly')).toThrow('must lead to exactly one state');
});

/** The words that the checks of a table allow in a column. */
async function allowedIn(table: string, column: string): Promise<string[]> {
  columns ??= readColumns(inject('postgres').superuserUrl.replace(/[^/]*$/, 'skep'));
  const found = (await columns).find(each => each.table === table && each.name === column);
  return (found === undefined ? undefined : wordsOf(found))?.toSorted() ?? [];
}

function reach(machine: Machine<string, string>, begins: readonly string[]): Set<string> {
  const reached = new Set(begins);
  // What is added while it is walked is walked too.
  for (const state of reached) for (const to of Object.values(machine[state] ?? {})) if (to !== undefined) reached.add(to);
  return reached;
}
