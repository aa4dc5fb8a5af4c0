import {
  type ClarifyOutput,
  type DesignOutput,
  phaseOutputs,
  type PlanningPhase,
  type RequirementsOutput,
  type TasksOutput,
} from '../../../../../contract/talk/planning.ts';
import { findCycle } from '../../../../kernel/graph.ts';
import { isEars } from './ears.ts';

/** The output of a phase that was judged good. */
export type GoodOutput =
  | { readonly phase: 'CLARIFY'; readonly output: ClarifyOutput }
  | { readonly phase: 'REQUIREMENTS'; readonly output: RequirementsOutput }
  | { readonly phase: 'DESIGN'; readonly output: DesignOutput }
  | { readonly phase: 'TASKS'; readonly output: TasksOutput };

export type Judgement =
  | { readonly ok: true; readonly good: GoodOutput }
  /** What is missing, each with its place; at least one. */
  | { readonly ok: false; readonly findings: readonly string[] };

/** Whether what a phase has handed in is of the right shape and good enough to go on from; tasks are held against requirements. */
export function judgeOutput(phase: PlanningPhase, output: unknown, requirementIds: readonly string[]): Judgement {
  const parsed = phaseOutputs[phase].safeParse(output);
  if (!parsed.success) {
    return bad(parsed.error.issues.map(({ path, message }) => `${placeOf(path)}: ${message}`));
  }
  const good = { phase, output: parsed.data } as GoodOutput;
  const findings = findingsOf(good, requirementIds);
  return findings.length === 0 ? { ok: true, good } : bad(findings);
}

function findingsOf({ phase, output }: GoodOutput, requirementIds: readonly string[]): string[] {
  if (phase === 'CLARIFY') return twice('questions', output.questions);
  if (phase === 'REQUIREMENTS') return judgeRequirements(output);
  if (phase === 'TASKS') return judgeTasks(output, requirementIds);
  return [];
}

function judgeRequirements({ requirements }: RequirementsOutput): string[] {
  return [
    ...twice('requirements', requirements),
    ...requirements.flatMap(({ id, statement, criteria }, index) => [
      ...(isEars(statement) ? [] : [`requirements[${index}].statement: ${id} is not in the form of EARS; ${earsForm}`]),
      ...(criteria.length > 0 ? [] : [`requirements[${index}].criteria: ${id} has no acceptance criterion; give at least one`]),
    ]),
  ];
}

const earsForm = 'write "WHEN (or WHILE, IF, WHERE) …, THE SYSTEM SHALL …", or "THE SYSTEM SHALL …"';

function judgeTasks({ tasks }: TasksOutput, requirementIds: readonly string[]): string[] {
  const findings = [
    ...twice('tasks', tasks),
    ...sameTitle(tasks),
    ...tasks.flatMap((task, index) => judgeTask(task, { index, known: new Set(tasks.map(({ id }) => id)), requirementIds })),
    ...unserved(tasks, requirementIds),
  ];
  if (findings.length > 0) return findings;
  const cycle = findCycle(tasks.map(({ id, depends_on }) => ({ id, needs: depends_on })));
  return cycle === undefined ? [] : [`tasks: the dependencies form a cycle: ${cycle.join(' → ')}`];
}

type Task = TasksOutput['tasks'][number];

function judgeTask(
  { id, requirements, acceptance_criteria, depends_on }: Task,
  { index, known, requirementIds }: { index: number; known: ReadonlySet<string>; requirementIds: readonly string[] },
): string[] {
  const at = `tasks[${index}]`;
  const noRequirement = requirements.filter(each => !requirementIds.includes(each));
  const noTask = depends_on.filter(each => !known.has(each));
  return [
    ...(requirements.length > 0 ? [] : [`${at}.requirements: ${id} serves no requirement; name those that it serves`]),
    ...noRequirement.map(each => `${at}.requirements: there is no requirement ${each}`),
    ...(acceptance_criteria.length > 0 ? [] : [`${at}.acceptance_criteria: ${id} has none; give at least one`]),
    ...noTask.map(each => `${at}.depends_on: there is no task ${each}`),
  ];
}

function unserved(tasks: readonly Task[], requirementIds: readonly string[]): string[] {
  const served = new Set(tasks.flatMap(task => task.requirements));
  return requirementIds.filter(id => !served.has(id)).map(id => `tasks: no task serves the requirement ${id}`);
}

/** Tickets name what they depend on by title. */
function sameTitle(tasks: readonly Task[]): string[] {
  const seen = new Map<string, string>();
  return tasks.flatMap(({ id, title }, index) => {
    const first = seen.get(title);
    if (first === undefined) seen.set(title, id);
    return first === undefined ? [] : [`tasks[${index}].title: ${id} has the title of ${first}; each needs its own`];
  });
}

function twice(list: string, items: readonly { readonly id: string }[]): string[] {
  const seen = new Set<string>();
  return items.flatMap(({ id }, index) => {
    const isSecond = seen.has(id);
    seen.add(id);
    return isSecond ? [`${list}[${index}].id: ${id} is used twice`] : [];
  });
}

function bad(findings: readonly string[]): Judgement {
  const shown = findings.slice(0, findingsMax).map(shorten);
  const left = findings.length - shown.length;
  return { ok: false, findings: left > 0 ? [...shown, `and ${left} more of that kind`] : shown };
}

/** More than a model can mend at once. */
const findingsMax = 20;

/** Some name what the model has made up, which may be of any length. */
function shorten(finding: string): string {
  if (finding.length <= findingLengthMax) return finding;
  return `${finding.slice(0, findingLengthMax).replace(/[\ud800-\udbff]$/, '')} […]`;
}

/** Characters. */
const findingLengthMax = 500;

function placeOf(path: readonly PropertyKey[]): string {
  const text = path.map(part => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text.replace(/^\./, '') || 'the output';
}
