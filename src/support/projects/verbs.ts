import type { NetworkRule } from '../../../contract/network/rules.ts';
import type { Agent, Check, Planner } from '../../../contract/projects.ts';
import type { Router } from '../../../contract/templates/router.ts';
import type { Tx } from '../../db/database.ts';
import type { SqlValue } from '../../db/pool.ts';
import { Fault } from '../../kernel/fault.ts';
import { requireTemplates } from '../templates/index.ts';
import {
  insertProject,
  type ProjectRow,
  projectById,
  projectsOfTenant,
  updateAgentModel,
  updateProject,
} from './projects.sql.ts';

interface ProjectFields {
  readonly repository?: string | undefined;
  readonly agent?: Agent | undefined;
  readonly planner?: Planner | undefined;
  readonly checks?: readonly Check[] | null | undefined;
  readonly testChanges?: ProjectRow['testChanges'] | undefined;
  readonly redBase?: ProjectRow['redBase'] | undefined;
  readonly collisions?: ProjectRow['collisions'] | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly isolation?: ProjectRow['isolation'] | undefined;
  readonly network?: readonly NetworkRule[] | undefined;
  readonly setup?: readonly string[] | null | undefined;
  readonly router?: Router | null | undefined;
}

/** Throws Fault `already_exists` when the name is taken, `template_not_found`. */
export async function createProject(tx: Tx, { name, ...fields }: ProjectFields & { name: string }): Promise<ProjectRow> {
  await requireTemplates(tx, fields.router ?? null);
  const project = await insert(tx, name, fields);
  if (project === undefined) {
    throw new Fault('already_exists', {
      message: `There is a project named "${name}" already`,
      hint: 'Change it with: skep project set',
    });
  }
  return project;
}

/** The project of that name; made when it is new. */
export async function projectNamed(tx: Tx, name: string): Promise<ProjectRow> {
  const [found] = await tx.query(projectsOfTenant, [tx.tenantId, name]);
  if (found !== undefined) return found;
  const made = await insert(tx, name, {});
  if (made !== undefined) return made;
  const [theirs] = await tx.query(projectsOfTenant, [tx.tenantId, name]);
  if (theirs === undefined) throw new Error('the project was neither found nor made');
  return theirs;
}

/** Throws Fault `project_not_found`, `template_not_found`. */
export async function editProject(tx: Tx, id: string, fields: ProjectFields): Promise<ProjectRow> {
  await requireTemplates(tx, fields.router ?? null);
  const meant = [fields.checks !== undefined, fields.setup !== undefined, fields.router !== undefined];
  const [project] = await tx.query(updateProject, [tx.tenantId, id, ...valuesOf(fields), ...meant]);
  if (project === undefined) throw new Fault('project_not_found');
  tx.announce({ type: 'project.changed', subject: { type: 'project', id }, payload: { fields: Object.keys(fields) } });
  return project;
}

/** Has the agent of a project go on with another model, whatever else it is. A project without an agent is left as it is. */
export async function changeAgentModel(tx: Tx, id: string, model: string): Promise<void> {
  const [project] = await tx.query(updateAgentModel, [tx.tenantId, id, model]);
  if (project !== undefined)
    tx.announce({ type: 'project.changed', subject: { type: 'project', id }, payload: { fields: ['agent'] } });
}

export async function getProject(tx: Tx, id: string): Promise<ProjectRow> {
  const [project] = await tx.query(projectById, [tx.tenantId, id]);
  if (project === undefined) throw new Fault('project_not_found');
  return project;
}

export function listProjects(tx: Tx, name: string | undefined): Promise<ProjectRow[]> {
  return tx.query(projectsOfTenant, [tx.tenantId, name ?? null]);
}

async function insert(tx: Tx, name: string, fields: ProjectFields): Promise<ProjectRow | undefined> {
  const [project] = await tx.query(insertProject, [tx.tenantId, name, ...valuesOf(fields)]);
  if (project !== undefined)
    tx.announce({ type: 'project.created', subject: { type: 'project', id: project.id }, payload: { name } });
  return project;
}

function valuesOf({ repository, agent, planner, checks, network, setup, router, ...fields }: ProjectFields): SqlValue[] {
  const { testChanges = null, redBase = null, collisions = null, labels = null, isolation = null } = fields;
  const texts = [testChanges, redBase, json(planner), collisions] as const;
  return [
    repository ?? null,
    json(agent),
    json(checks ?? undefined),
    ...texts,
    labels,
    isolation,
    json(network),
    json(setup ?? undefined),
    json(router ?? undefined),
  ];
}

function json(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
