import { filePath } from '../../../../../contract/fields.ts';
import type { DesignOutput, RequirementsOutput, SpecPlan, TasksOutput } from '../../../../../contract/talk/planning.ts';
import type { SpecCard } from '../../../../../contract/spec-card.ts';

/** A plan begins with its requirements; what an earlier one had beyond them is out of date. */
export function planOfRequirements({ summary, requirements, technical_requirements }: RequirementsOutput): SpecPlan {
  return { summary, requirements, technical_requirements, design: null, tasks: [] };
}

export function withDesign(plan: SpecPlan, design: DesignOutput): SpecPlan {
  return { ...plan, design, tasks: [] };
}

export function withTasks(plan: SpecPlan, { tasks }: TasksOutput): SpecPlan {
  return { ...plan, tasks };
}

/** The card of a complete plan: a feature for each task, which says also which requirements it serves. */
export function cardOfPlan(name: string, { summary, requirements, technical_requirements, tasks }: SpecPlan): SpecCard {
  const statements = new Map(requirements.map(({ id, statement }) => [id, statement]));
  const titles = new Map(tasks.map(({ id, title }) => [id, title]));
  return {
    name,
    description: summary,
    features: tasks.map(task => {
      const serves = task.requirements.map(id => `- ${id}: ${statements.get(id) ?? ''}`);
      const files = task.files.length === 0 ? [] : ['', `Files it will probably touch: ${task.files.join(', ')}`];
      const needs = [...new Set(task.depends_on)].flatMap(id => titles.get(id) ?? []);
      return {
        title: task.title,
        description: [task.description.trim(), '', 'Requirements that it serves:', ...serves, ...files]
          .join('\n')
          .trim()
          .slice(0, descriptionLengthMax)
          .replace(/[\ud800-\udbff]$/, ''),
        acceptance_criteria: task.acceptance_criteria,
        ...(needs.length === 0 ? {} : { depends_on: needs }),
        ...filesOf(task.files),
      };
    }),
    technical_requirements,
  };
}

/** What a model names and is no file of a repository says nothing. */
function filesOf(named: readonly string[]): { files?: string[] } {
  const files = named.flatMap(path => filePath.safeParse(path.trim().replace(/^(\.\/+)+|\/+$/g, '')).data ?? []);
  return files.length === 0 ? {} : { files: [...new Set(files)] };
}

/** Characters; a card takes 100,000. */
const descriptionLengthMax = 90_000;
