import { isDeepStrictEqual } from 'node:util';
import { basename } from 'node:path';
import { project as projectSchema, projectList } from '../../../contract/projects.ts';
import type { WireProject } from '../../../contract/projects.ts';
import type { WireSession } from '../../../contract/sessions.ts';
import { inspection } from '../../../contract/trunks.ts';
import type { WireInspection } from '../../../contract/trunks.ts';
import { usage } from '../command.ts';
import type { Context } from '../context.ts';
import { printable } from '../output/text.ts';
import type { ProjectWishes } from './options.ts';
import { checkBuild } from './works/check.ts';
import { isForAll } from './works/works.ts';

export async function projectsOf({ client }: Context, repository?: string): Promise<WireProject[]> {
  const { projects } = await client.request('GET', '/api/projects', { schema: projectList });
  return repository === undefined ? projects : projects.filter(project => project.repository === repository);
}

interface Given {
  readonly repository: string;
  readonly wishes: ProjectWishes;
  readonly sessions: readonly WireSession[];
}

/**
 * The project of the repository: one that is as wished, else one that nothing is built in, which is changed when the build
 * begins, else a new one. What is being built goes on with the agent and the checks that it began with. Nothing is made where those who
 * would work could not: see `checkBuild`.
 */
export async function findOrMakeProject(context: Context, { repository, wishes, sessions }: Given): Promise<WireProject> {
  const all = await projectsOf(context);
  const same = all.filter(project => project.repository === repository);
  const isBusy = ({ id }: WireProject) => sessions.some(session => session.project_id === id && session.state === 'building');
  const found = same.find(project => isAsWished(project, wishes)) ?? same.find(project => !isBusy(project));
  if (found !== undefined) refuseIdle(found, wishes);
  await checkBuild(context, found ?? { agent: null, router: null }, wishes);
  if (found !== undefined) return found;
  const name = freeName(nameOf(repository), new Set(all.map(project => project.name)));
  return context.client.request('POST', '/api/projects', { body: { name, repository, ...wishes }, schema: projectSchema });
}

/** Makes the project as wished, where it is not. */
export async function changeProject({ client }: Context, project: WireProject, wishes: ProjectWishes): Promise<void> {
  refuseIdle(project, wishes);
  if (isAsWished(project, wishes)) return;
  await client.request('PATCH', `/api/projects/${project.id}`, { body: wishes, schema: projectSchema });
}

/** A look at the repository as it is now; it runs nothing of it. It can be large, and far away. */
export function inspect(
  { client }: Context,
  project: WireProject,
  { title, signal }: { title: string; signal: AbortSignal },
): Promise<WireInspection> {
  const path = `/api/projects/${project.id}/inspect`;
  return client.request('POST', path, { body: { title }, schema: inspection, timeoutMs: 960_000, signal });
}

function isAsWished(project: WireProject, wishes: ProjectWishes): boolean {
  return Object.entries(wishes).every(([field, value]) => isDeepStrictEqual(project[field as keyof ProjectWishes], value));
}

function nameOf(repository: string): string {
  const last = basename(repository.replace(/\/+$/, '')).replace(/\.git$/, '');
  const name = printable(last).trim().slice(0, 190);
  return name === '' ? 'project' : name;
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number += 1) if (!taken.has(`${name}-${number}`)) return `${name}-${number}`;
}

/** An agent that is given to a project whose templates leave it nothing would not do the work. */
function refuseIdle({ name, router }: WireProject, { agent }: ProjectWishes): void {
  if (agent === undefined || !isForAll(router)) return;
  throw usage(
    `An agent is given, and the project '${name}' works by templates alone: it would do nothing`,
    `Leave the agent out, or take the templates away first: skep project set ${name} --no-router`,
  );
}
