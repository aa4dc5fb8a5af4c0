import { modelOf, project as projectSchema } from '../../../../contract/projects.ts';
import type { WireProject } from '../../../../contract/projects.ts';
import type { WireSession } from '../../../../contract/sessions.ts';
import { Fault } from '../../../kernel/fault.ts';
import { shortId } from '../../input/id.ts';
import { allSessions } from '../../session/find.ts';
import type { Beginning } from '../beginning.ts';
import type { IdeaWanted, ProjectWishes, Wanted } from '../options.ts';
import { changeProject, findOrMakeProject, projectsOf } from '../project.ts';
import { isUnfinished, openIdea } from '../session.ts';
import { checkBuild, checkModels } from '../works/check.ts';
import { pursueIdea } from './pursue.ts';

/** From an idea to a session that builds: a model asks and plans, a person answers and approves. */
export async function beginIdea(
  beginning: Beginning,
  { idea, repository, wishes: given }: Wanted & IdeaWanted,
): Promise<WireSession> {
  const { context } = beginning;
  const sessions = await allSessions(context);
  const projects = await projectsOf(context, repository);
  refuseSameIdea(beginning, {
    idea,
    sessions: sessions.filter(({ project_id: id }) => projects.some(project => project.id === id)),
  });
  const wishes = withPlanner(given, projects);
  const found = await findOrMakeProject(context, { repository, wishes, sessions });
  if (wishes.planner === undefined) await checkModels(context, { planner: found.planner });
  // Not at its beginning, as with a card: who plans must be known before.
  await changeProject(context, found, wishes);
  const project = await projectOf(beginning, found.id);
  const session = await openIdea(context, project, idea);
  return pursueIdea(beginning, { session, project });
}

/** The same for an idea whose planning was interrupted, wherever that was. */
export async function resumeIdea(beginning: Beginning, session: WireSession, wishes: ProjectWishes): Promise<WireSession> {
  const project = await projectOf(beginning, session.project_id);
  await checkBuild(beginning.context, project, { planner: project.planner, ...wishes });
  await changeProject(beginning.context, project, wishes);
  return pursueIdea(beginning, { session, project: await projectOf(beginning, session.project_id) });
}

function projectOf({ context }: Beginning, id: string): Promise<WireProject> {
  return context.client.request('GET', `/api/projects/${id}`, { schema: projectSchema });
}

/** Whoever works may plan too, where nobody else was named. Throws Fault `no_model` where nobody can. */
function withPlanner(wishes: ProjectWishes, projects: readonly WireProject[]): ProjectWishes {
  if (wishes.planner !== undefined) return wishes;
  const model = modelOf(wishes.agent);
  if (model !== undefined) return { ...wishes, planner: { model } };
  if (projects.some(({ planner }) => planner !== null)) return wishes;
  const known = projects.flatMap(({ agent }) => modelOf(agent) ?? [])[0];
  if (known !== undefined) return { ...wishes, planner: { model: known } };
  throw new Fault('no_model', {
    message: 'No model is configured: there is nobody who could plan this idea',
    hint: 'Name one: --planner anthropic/claude-sonnet-4-5, or an agent with its model. Or plan it yourself: --spec card.json',
  });
}

interface Known {
  readonly idea: string;
  readonly sessions: readonly WireSession[];
}

function refuseSameIdea({ commands }: Beginning, { idea, sessions }: Known): void {
  const same = sessions.find(session => isUnfinished(session) && session.description.endsWith(idea));
  if (same === undefined) return;
  throw new Fault('already_exists', {
    message: `This idea is being built in this repository already, and it is not finished (session ${shortId(same.id)})`,
    hint: `Go on with it: ${commands.resume([shortId(same.id)])}. Or end it: skep session cancel ${shortId(same.id)}`,
    facts: { session_id: same.id },
  });
}
