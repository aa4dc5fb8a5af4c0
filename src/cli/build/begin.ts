import { project as projectSchema } from '../../../contract/projects.ts';
import type { WireProject } from '../../../contract/projects.ts';
import { session as sessionSchema } from '../../../contract/sessions.ts';
import type { WireSession } from '../../../contract/sessions.ts';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Context, World } from '../context.ts';
import { askUnless } from '../input/ask.ts';
import { shortId } from '../input/id.ts';
import { allSessions, cardOf } from '../session/find.ts';
import type { Beginning } from './beginning.ts';
import type { BuildOptions, CardWanted, ProjectWishes, Wanted } from './options.ts';
import { planDocument, planText } from './plan.ts';
import type { Plan } from './plan.ts';
import { changeProject, findOrMakeProject, inspect, projectsOf } from './project.ts';
import { beginBuild, openSession, otherBuilds, refuseTwice } from './session.ts';
import { checkBuild, checkModels } from './works/check.ts';
import { worksOf } from './works/works.ts';

/** Before anything is started: where nobody can be asked, --yes must say it. */
export function refuseUnasked({ input, err }: World, { yes, json, resume, spec }: BuildOptions): void {
  const canAsk = input.isTerminal && err.isTerminal && json !== true;
  // Of an idea the answers have defaults; it is said where they were taken.
  if (yes === true || canAsk || resume !== undefined || spec === undefined) return;
  throw new Fault('confirmation_required', {
    message: 'A build must be confirmed, and there is no terminal to ask on',
    hint: 'Add --yes',
  });
}

/** From the card to a session that builds; the plan is shown before, and nothing is built without a yes. */
export async function beginNew(beginning: Beginning, { card, repository, wishes }: Wanted & CardWanted): Promise<WireSession> {
  const { context, commands } = beginning;
  const projects = await projectsOf(context, repository);
  await refuseTwice(context, { card, projects, resume: ({ id }) => commands.resume([shortId(id)]) });
  const project = await findOrMakeProject(context, { repository, wishes, sessions: await allSessions(context) });
  // The server judges the card before it keeps it; nothing is built of a session that was not approved.
  const session = await openSession(context, project, card);
  return confirmAndBegin(beginning, { session, project, card, wishes });
}

/** The same for a session that was opened by a build which was interrupted before its yes. */
export async function beginOpened(beginning: Beginning, session: WireSession, wishes: ProjectWishes): Promise<WireSession> {
  const { context } = beginning;
  const project = await context.client.request('GET', `/api/projects/${session.project_id}`, { schema: projectSchema });
  await checkBuild(context, project, wishes);
  const card = await cardOf(context, session.spec_id ?? '');
  return confirmAndBegin(beginning, { session, project, card, wishes });
}

interface Opened {
  readonly session: WireSession;
  readonly project: WireProject;
  readonly card: SpecCardInput;
  readonly wishes: ProjectWishes;
}

async function confirmAndBegin(beginning: Beginning, { session, project, card, wishes }: Opened): Promise<WireSession> {
  const { context } = beginning;
  try {
    const inspection = await inspect(context, project, { title: card.name, signal: beginning.signal });
    const others = await otherBuilds(context, session);
    const works = await worksOf(context, project, wishes);
    await confirm(beginning, { sessionId: session.id, card, project, wishes, works, inspection, others });
  } catch (error) {
    await context.client.request('POST', `/api/hitl/${session.id}/cancel`, { body: {}, schema: sessionSchema }).catch(() => {});
    throw error;
  }
  return beginning.steadily(async at => {
    await changeProject(at, project, wishes);
    return beginBuild(at, session.id);
  });
}

async function confirm({ world, context, options, signal }: Beginning, plan: Plan): Promise<void> {
  context.show(planDocument(plan), () => `${planText(plan, context.out)}\n`);
  if (options.yes === true) return;
  if (!context.isTerminal || context.json) {
    throw new Fault('confirmation_required', {
      message: 'This build was never confirmed, and there is no terminal to ask on',
      hint: 'Add --yes',
    });
  }
  const answer = await askUnless(world, 'Build this? [y/N] ', signal);
  if (!/^y(es)?$/i.test(answer)) {
    throw new Fault('confirmation_required', { message: 'Not confirmed: nothing was started' });
  }
}

/** What was given with --resume is the project's from now on. */
export async function applyWishes(context: Context, session: WireSession, wishes: ProjectWishes): Promise<void> {
  if (Object.keys(wishes).length === 0) return;
  await checkModels(context, wishes);
  const project = await context.client.request('GET', `/api/projects/${session.project_id}`, { schema: projectSchema });
  await changeProject(context, project, wishes);
}
