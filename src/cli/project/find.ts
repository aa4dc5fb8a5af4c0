import { project, projectList } from '../../../contract/projects.ts';
import type { WireProject } from '../../../contract/projects.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Context } from '../context.ts';
import { isUuid } from '../input/id.ts';
import { fields } from '../output/table.ts';
import { acpRows } from './acp.ts';
import { agentText } from './agent.ts';
import { checkLine } from './checks.ts';
import { ruleText } from './network-rule.ts';
import { routerText } from '../template/router.ts';

/** The project of that name, or of that whole id. Throws Fault `project_not_found`. */
export async function findProject(context: Context, nameOrId: string): Promise<WireProject> {
  const found = await projectNamed(context, nameOrId);
  if (found !== undefined) return found;
  if (isUuid(nameOrId)) return context.client.request('GET', `/api/projects/${nameOrId.toLowerCase()}`, { schema: project });
  throw new Fault('project_not_found', { message: `There is no project '${nameOrId}'`, hint: 'See: skep project list' });
}

export async function projectNamed({ client }: Context, name: string): Promise<WireProject | undefined> {
  const { projects } = await client.request('GET', '/api/projects', { query: { name }, schema: projectList });
  return projects.find(candidate => candidate.name === name);
}

export function projectText(project: WireProject): string {
  const { name, id, repository, agent, created_at } = project;
  return fields([
    ['name', name],
    ['id', id],
    ['repository', repository ?? 'none'],
    ['agent', agent === null ? 'none' : `${'command' in agent ? `${agent.kind}: ` : ''}${agentText(agent)}`],
    ...acpRows(agent),
    ['templates', routerText(project.router)],
    ['planner', project.planner?.model ?? 'none'],
    ['setup', project.setup === null ? 'none' : checkLine({ command: project.setup })],
    ['checks', checksText(project)],
    [
      'test changes',
      project.test_changes === 'ask' ? 'ask: they wait for your approval' : 'allow: they are merged like all else',
    ],
    ['red base', project.red_base === 'refuse' ? 'refuse to build' : 'leave the red checks out'],
    ['collisions', project.collisions === 'hold' ? 'hold: tickets that touch the same files wait for each other' : 'allow'],
    ['labels', project.labels.join(', ')],
    ['isolation', isolationText[project.isolation]],
    ['network', project.network.length === 0 ? 'none: its sandboxes reach no host' : project.network.map(ruleText).join('\n')],
    ['timeout', agent?.timeout_ms === undefined ? null : `${agent.timeout_ms / 1000} s`],
    ['created', created_at],
  ]);
}

const isolationText: Readonly<Record<WireProject['isolation'], string>> = {
  none: 'none: it may run where nothing is isolated',
  namespaces: 'namespaces, or more',
  kernel: 'kernel: one of its own, or more',
  machine: 'machine: one of its own',
};

function checksText({ checks }: WireProject): string {
  if (checks === null) return 'found in the repository';
  return checks.length === 0 ? 'none: results are unproven' : checks.map(checkLine).join('\n');
}
