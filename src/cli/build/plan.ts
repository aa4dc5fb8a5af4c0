import { modelOf } from '../../../contract/projects.ts';
import type { WireProject } from '../../../contract/projects.ts';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import type { WireInspection } from '../../../contract/trunks.ts';
import type { Output } from '../context.ts';
import { fields } from '../output/table.ts';
import { cut, printable, styled } from '../output/text.ts';
import { agentText } from '../project/agent.ts';
import { checkLine } from '../project/checks.ts';
import { routerText } from '../template/router.ts';
import { depthOf } from '../ticket/drawing.ts';
import { shortId } from '../input/id.ts';
import type { ProjectWishes } from './options.ts';
import { isRecorded, recordedNote } from './recorded.ts';
import type { OtherBuild } from './session.ts';
import { count } from './view/words.ts';
import type { Works } from './works/works.ts';

/** All that is to be known before a build is begun. */
export interface Plan {
  readonly sessionId: string;
  readonly card: SpecCardInput;
  readonly project: WireProject;
  readonly wishes: ProjectWishes;
  readonly works: Works;
  readonly inspection: WireInspection;
  readonly others: readonly OtherBuild[];
}

interface PlannedFeature {
  readonly number: number;
  readonly title: string;
  readonly depth: number;
  readonly needs: readonly number[];
}

/** The features in the order of the graph, numbered in it. Their dependencies are those of the card. */
export function plannedFeatures({ features }: SpecCardInput): readonly PlannedFeature[] {
  const titled = features.map(({ title, depends_on = [] }) => ({
    title: title.trim(),
    needs: depends_on.map(need => need.trim()),
  }));
  const depths = depthOf(
    titled.map(({ title }) => title),
    new Map(titled.map(({ title, needs }) => [title, needs])),
  );
  const sorted = [...titled].sort((a, b) => (depths.get(a.title) ?? 0) - (depths.get(b.title) ?? 0));
  const numbers = new Map(sorted.map(({ title }, i) => [title, i + 1]));
  return sorted.map(({ title, needs }, i) => ({
    number: i + 1,
    title,
    depth: depths.get(title) ?? 0,
    needs: needs.flatMap(need => numbers.get(need) ?? []),
  }));
}

export function planText(plan: Plan, out: Output): string {
  const { card, project, inspection } = plan;
  const features = plannedFeatures(card);
  const planner = plan.wishes.planner ?? project.planner;
  const at =
    inspection.commit === null ? 'no commit yet' : `at ${inspection.commit.slice(0, 12)}; what is not committed is no part of it`;
  return [
    styled(out, 'bold', printable(card.name)),
    fields([
      ['repository', `${project.repository ?? 'none'}, ${at}`],
      ['branch', `${inspection.branch} (new; nothing else of the repository is written)`],
      ['templates', routerText(plan.works.templates)],
      ['agent', workerText(plan.works)],
      ['planner', planner === null ? null : `${planner.model}${recordedNote(planner.model)}`],
      ['checks', checksText(plan)],
      ['tests', testsText(plan)],
      ['base', baseText(plan)],
      ...inspection.notes.map((note, i) => [i === 0 ? 'notes' : ' ', note] as const),
      ['also', plan.others.map(otherText).join('\n')],
      ['tickets', `${features.length}${shapeText(features)}`],
    ]),
    ...featureLines(features, out),
  ].join('\n');
}

/** The same for programs. */
export function planDocument({ sessionId, card, project, wishes, works, inspection }: Plan): object {
  return {
    event: 'plan',
    session_id: sessionId,
    name: card.name,
    project: project.name,
    repository: project.repository,
    commit: inspection.commit,
    branch: inspection.branch,
    agent: works.agent,
    templates: works.templates,
    planner: wishes.planner ?? project.planner,
    recorded: isRecorded(modelOf(works.agent)),
    checks: wishes.checks ?? inspection.checks,
    checks_from: checksFrom({ project, wishes }),
    notes: inspection.notes,
    tickets: plannedFeatures(card).map(({ title, needs, number }) => ({ number, title, depends_on: needs })),
  };
}

/** Null where templates do it all. */
function workerText({ agent, templates }: Works): string | null {
  if (agent === null) return templates === null ? 'none' : null;
  return `${briefly(agentText(agent))}${recordedNote(modelOf(agent))}`;
}

function otherText({ session, open }: OtherBuild): string {
  const id = shortId(session.id);
  return `${session.description.slice(0, 60)} is not finished and goes on beside it, ${count(open, 'ticket')} at once; to end it: skep session cancel ${id}`;
}

function checksFrom({ project, wishes }: Pick<Plan, 'project' | 'wishes'>): 'given' | 'project' | 'found' {
  if (wishes.checks !== undefined) return 'given';
  return project.checks === null ? 'found' : 'project';
}

function checksText(plan: Plan): string {
  const checks = plan.wishes.checks ?? plan.inspection.checks;
  const from = checksFrom(plan);
  const name = plan.project.name;
  if (checks.length === 0) {
    const why = {
      given: '',
      project: ` (so the project '${name}' is set; to have them found: skep project set ${name} --find-checks)`,
      found: " (none found; give one: --check 'npm test')",
    };
    return `none: the result will be unproven${why[from]}`;
  }
  const whence = { given: '', project: ` (set in the project '${name}')`, found: ' (found in the repository)' };
  return checks.map(check => `${checkLine(check)}${whence[from]}`).join('\n');
}

/** A script of many lines is known by its first ones. */
function briefly(text: string): string {
  const lines = text.trim().split('\n');
  return lines.length <= 4 ? lines.join('\n') : `${lines.slice(0, 3).join('\n')}\n… and ${lines.length - 3} more lines`;
}

/** Said only where it is not as usual. */
function testsText({ project, wishes }: Plan): string | null {
  if ((wishes.test_changes ?? project.test_changes) === 'ask') return null;
  return 'changes of tests, checks and CI are merged without asking';
}

function baseText({ project, wishes }: Plan): string | null {
  if ((wishes.red_base ?? project.red_base) === 'refuse') return null;
  return 'checks that are red on the base commit are left out';
}

/** More than these would push the question off the screen. */
const linesMax = 25;

function shapeText(features: readonly PlannedFeature[]): string {
  const layers = new Map<number, number>();
  for (const { depth } of features) layers.set(depth, (layers.get(depth) ?? 0) + 1);
  if (layers.size <= 1) return '';
  return `, in ${layers.size} steps, at most ${Math.max(...layers.values())} side by side`;
}

function featureLines(features: readonly PlannedFeature[], out: Output): readonly string[] {
  const shown = features.length <= linesMax ? features : features.slice(0, linesMax - 5);
  const digits = String(features.length).length;
  const lines = shown.map(({ number, title, depth, needs }) => {
    const arrow = needs.length === 0 ? '' : styled(out, 'dim', `  <- ${needsText(needs)}`);
    const indent = '  '.repeat(Math.min(depth, 6));
    return `  ${String(number).padStart(digits)}  ${indent}${cut(printable(title), 100)}${arrow}`;
  });
  const left = features.length - shown.length;
  return left === 0 ? lines : [...lines, styled(out, 'dim', `  … and ${count(left, 'more ticket')}`)];
}

function needsText(needs: readonly number[]): string {
  return needs.length <= 8 ? needs.join(', ') : `${needs.slice(0, 8).join(', ')} and ${needs.length - 8} more`;
}
