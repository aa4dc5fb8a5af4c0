import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PlanningPhase, RequirementsOutput, TasksOutput } from '../../../../../contract/talk/planning.ts';
import { specCard } from '../../../../../contract/spec-card.ts';
import { clarified, designed, required, tasked } from '../../../../../test/harness/plans.ts';
import { findCycle } from '../../../../kernel/graph.ts';
import { cardOfPlan, planOfRequirements, withDesign, withTasks } from './plan.ts';
import { judgeOutput } from './quality.ts';

const ids = ['R1', 'R2'];

function findingsOf(phase: PlanningPhase, output: unknown, requirementIds = ids): readonly string[] {
  const judgement = judgeOutput(phase, output, requirementIds);
  return judgement.ok ? [] : judgement.findings;
}

test('what is good is taken', () => {
  expect(findingsOf('CLARIFY', clarified('Dark mode?'))).toEqual([]);
  expect(findingsOf('CLARIFY', clarified())).toEqual([]);
  expect(findingsOf('REQUIREMENTS', required())).toEqual([]);
  expect(findingsOf('DESIGN', designed())).toEqual([]);
  expect(findingsOf('TASKS', tasked())).toEqual([]);
});

describe('the shape', () => {
  test('says each place that is wrong', () => {
    expect(findingsOf('DESIGN', {})).toEqual(expect.arrayContaining([expect.stringMatching(/^overview: /)]));
    expect(findingsOf('TASKS', { tasks: [] })[0]).toMatch(/^tasks: /);
    expect(findingsOf('TASKS', 'text')[0]).toMatch(/^the output: /);
    expect(findingsOf('REQUIREMENTS', { ...required(), more: 1 })[0]).toContain('more');
  });

  test.each([null, undefined, [], 0, { questions: [{ id: 'x' }] }])('%j is no output', output => {
    expect(findingsOf('CLARIFY', output).length).toBeGreaterThan(0);
  });

  test('there are at most 200 tasks', () => {
    const requirements = Array.from({ length: 201 }, (_, i) => `R${i + 1}`);
    expect(findingsOf('TASKS', tasked(200), requirements.slice(0, 200))).toEqual([]);
    expect(findingsOf('TASKS', tasked(201), requirements)[0]).toMatch(/^tasks: /);
  });

  test('a long list of findings is cut, and counted', () => {
    const bad = { tasks: tasked(60).tasks.map(task => ({ ...task, acceptance_criteria: [] })) };
    const found = findingsOf('TASKS', bad, []);
    expect(found).toHaveLength(21);
    expect(found.at(-1)).toMatch(/^and \d+ more/);
  });
});

test('what a finding names of the output is cut', () => {
  const [found = ''] = findingsOf('CLARIFY', { ...clarified(), ['x'.repeat(100_000)]: 1 });
  expect(found.length).toBeLessThan(600);
});

describe('requirements', () => {
  const spoilt = (change: Partial<RequirementsOutput['requirements'][number]>) => {
    const [first, ...rest] = required().requirements;
    return { ...required(), requirements: [{ ...first, ...change }, ...rest] };
  };

  test.each([
    ['no form of EARS', { statement: 'It keeps items' }, 'requirements[0].statement: R1 is not in the form of EARS'],
    ['no criterion', { criteria: [] }, 'requirements[0].criteria: R1 has no acceptance criterion'],
    ['an id that is taken', { id: 'R2' }, 'requirements[1].id: R2 is used twice'],
  ])('%s', (_, change, said) => {
    expect(findingsOf('REQUIREMENTS', spoilt(change))).toEqual([expect.stringContaining(said)]);
  });
});

describe('tasks', () => {
  const spoilt = (index: number, change: Partial<TasksOutput['tasks'][number]>) => ({
    tasks: tasked().tasks.map((task, i) => (i === index ? { ...task, ...change } : task)),
  });

  test.each([
    [
      'no requirement',
      1,
      { requirements: [] },
      ['tasks[1].requirements: T2 serves no requirement', 'no task serves the requirement R2'],
    ],
    ['a requirement that is none', 0, { requirements: ['R1', 'R9'] }, ['tasks[0].requirements: there is no requirement R9']],
    ['no criterion', 0, { acceptance_criteria: [] }, ['tasks[0].acceptance_criteria: T1 has none']],
    ['a dependency that is none', 1, { depends_on: ['T7'] }, ['tasks[1].depends_on: there is no task T7']],
    ['a cycle', 0, { depends_on: ['T2'] }, ['tasks: the dependencies form a cycle: T1 → T2 → T1']],
    ['a task that needs itself', 0, { depends_on: ['T1'] }, ['T1 → T1']],
    ['an id that is taken', 1, { id: 'T1', depends_on: [] }, ['tasks[1].id: T1 is used twice']],
    ['a title that is taken', 1, { title: 'Task 1' }, ['tasks[1].title: T2 has the title of T1']],
  ])('%s', (...[, index, change, said]) => {
    expect(findingsOf('TASKS', spoilt(index, change))).toEqual(said.map(text => expect.stringContaining(text) as unknown));
  });

  test('a requirement that no task serves is named', () => {
    expect(findingsOf('TASKS', tasked(1))).toEqual(['tasks: no task serves the requirement R2']);
  });
});

/** Tasks over few requirements, with dependencies to any task: with and without cycles. */
const anyTasks = fc
  .array(
    fc.record({ needs: fc.array(fc.nat(7), { maxLength: 3 }), serves: fc.array(fc.nat(2), { minLength: 1, maxLength: 3 }) }),
    {
      minLength: 1,
      maxLength: 8,
    },
  )
  .map(list => ({
    tasks: list.map(({ needs, serves }, i) => ({
      id: `T${i + 1}`,
      title: `Task ${i + 1}`,
      description: '',
      requirements: serves.map(n => `R${n + 1}`),
      acceptance_criteria: ['done'],
      depends_on: needs.filter(n => n < list.length).map(n => `T${n + 1}`),
      files: [],
      estimate: 0,
    })),
  }));

test('tasks are taken exactly where every requirement is served and there is no cycle; then their card is one', () => {
  let taken = 0;
  fc.assert(
    fc.property(anyTasks, output => {
      const known = ['R1', 'R2', 'R3'];
      const served = known.every(id => output.tasks.some(task => task.requirements.includes(id)));
      const hasCycle = findCycle(output.tasks.map(({ id, depends_on }) => ({ id, needs: depends_on }))) !== undefined;
      const judgement = judgeOutput('TASKS', output, known);
      expect(judgement.ok).toBe(served && !hasCycle);
      if (!judgement.ok || judgement.good.phase !== 'TASKS') return;
      taken++;
      const plan = withTasks(withDesign(planOfRequirements(required(3)), designed()), judgement.good.output);
      const card = specCard.parse(cardOfPlan('Spec', plan));
      expect(card.features.map(({ title }) => title)).toEqual(output.tasks.map(({ title }) => title));
      expect(findCycle(card.features.map(({ title, depends_on = [] }) => ({ id: title, needs: depends_on })))).toBeUndefined();
    }),
    { numRuns: 500 },
  );
  expect(taken).toBeGreaterThan(20);
});

test('the card of the largest plan is one that is taken', () => {
  const requirements = required(100).requirements.map(each => ({ ...each, statement: `${each.statement} ${'x'.repeat(900)}` }));
  const tasks = tasked(200).tasks.map(task => ({
    ...task,
    description: 'd'.repeat(20_000),
    requirements: requirements.map(({ id }) => id),
  }));
  const plan = { ...planOfRequirements({ ...required(), requirements }), tasks };
  expect(specCard.safeParse(cardOfPlan('Big', plan)).success).toBe(true);
});

test('a card says which requirements a feature serves, and which files it will touch', () => {
  const card = cardOfPlan('Todo', withTasks(planOfRequirements(required()), tasked()));
  expect(card).toMatchObject({
    name: 'Todo',
    description: 'Things to do, kept in a file.',
    technical_requirements: ['no new dependency'],
  });
  expect(card.features[1]).toMatchObject({ title: 'Task 2', depends_on: ['Task 1'], acceptance_criteria: ['2 is done'] });
  expect(card.features[1]?.description).toContain('R2: WHEN thing 2 happens, THE SYSTEM SHALL react');
  expect(card.features[1]?.description).toContain('src/store.js');
  expect(card.features[0]).not.toHaveProperty('depends_on');
});
