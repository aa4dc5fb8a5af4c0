import { z } from 'zod';
import type { WireSession } from '../../../contract/sessions.ts';
import { trunk as trunkSchema } from '../../../contract/trunks.ts';
import type { WireTrunk } from '../../../contract/trunks.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Context } from '../context.ts';
import { shortId } from '../input/id.ts';
import { cut, printable } from '../output/text.ts';
import { allSessions, findSession } from '../session/find.ts';
import { applyWishes, beginOpened } from './begin.ts';
import type { Beginning } from './beginning.ts';
import { readGraph, readTrunk } from './follow/reads.ts';
import { isPublished } from './follow/standing.ts';
import { resumeIdea } from './idea/begin.ts';
import type { BuildOptions, ProjectWishes } from './options.ts';
import { projectsOf } from './project.ts';
import { isUnfinished } from './session.ts';

/**
 * Finds the build to go on with and starts again what has stopped for a reason that a person may have mended meanwhile: a base
 * that was refused, a branch that could not be pushed, and with --retry-failed the tickets that failed.
 */
export async function goOn(
  beginning: Beginning,
  { repository, wishes }: { repository: string | undefined; wishes: ProjectWishes },
): Promise<WireSession> {
  const { context, options } = beginning;
  const isNamed = options.repo !== undefined;
  const session = await findUnfinished(context, { given: options.resume ?? true, repository, isNamed });
  say(beginning, session);
  if (session.state === 'completed') return session;
  if (isPlanned(session)) return resumeIdea(beginning, session, wishes);
  if (session.state === 'reviewing' || session.state === 'approved') return beginOpened(beginning, session, wishes);
  const specId = session.spec_id ?? '';
  await beginning.steadily(async at => {
    await applyWishes(at, session, wishes);
    await tryAgain(at, await readTrunk(at, specId), options);
    if (options.retryFailed === true) await retryFailed(at, specId);
  });
  return session;
}

/** Before its build an idea is planned, or waits for its answers or its approval. */
function isPlanned({ state, planning }: WireSession): boolean {
  return planning !== null && (state === 'clarifying' || state === 'reviewing' || state === 'approved');
}

function say({ context, world }: Beginning, { id, state, description }: WireSession): void {
  if (context.json) {
    world.out.write(`${JSON.stringify({ event: 'resume', session_id: id, state, description })}\n`);
    return;
  }
  const done = state === 'completed' ? ' is completed already: there is nothing to do' : '';
  world.out.write(`${done === '' ? 'Going on with s' : 'S'}ession ${shortId(id)} (${cut(printable(description), 100)})${done}\n`);
}

interface Wanted {
  /** What was typed behind --resume. */
  readonly given: string | true;
  /** The repository that was named, or that one stands in. */
  readonly repository: string | undefined;
  /** Whether it was named. */
  readonly isNamed: boolean;
}

/**
 * The build to go on with: the one that was named; else the newest unfinished one of the repository; else the only one; else
 * the last one, which is completed. Throws Fault `session_not_found` where there is none.
 */
async function findUnfinished(context: Context, { given, repository, isNamed }: Wanted): Promise<WireSession> {
  if (given !== true) return judged(await findSession(context, given));
  const sessions = [...(await allSessions(context))].sort((a, b) => b.created_at.localeCompare(a.created_at));
  const projects = new Map((await projectsOf(context)).map(project => [project.id, project]));
  const here = sessions.filter(({ project_id }) => projects.get(project_id)?.repository === repository);
  const [newest] = here.filter(isUnfinished);
  if (newest !== undefined) return newest;
  const elsewhere = isNamed ? [] : sessions.filter(isUnfinished);
  const [only, second] = elsewhere;
  if (only !== undefined && second === undefined) return only;
  if (second !== undefined) {
    const listed = elsewhere
      .slice(0, 10)
      .map(each => `${shortId(each.id)}  ${projects.get(each.project_id)?.repository ?? ''}  ${each.description}`);
    throw new Fault('invalid_request', {
      message: `${elsewhere.length} builds are unfinished, none of them here:\n  ${listed.join('\n  ')}`,
      hint: 'Name one: skep build --resume ID',
    });
  }
  const last =
    here.find(({ state }) => state === 'completed') ??
    (isNamed ? undefined : sessions.find(({ state }) => state === 'completed'));
  if (last !== undefined) return last;
  throw nothingToResume();
}

export function nothingToResume(): Fault {
  return new Fault('session_not_found', {
    message: 'There is no unfinished build',
    hint: "Begin one: skep build --repo . --spec card.json --command 'node agent.js'",
  });
}

function judged(session: WireSession): WireSession {
  if (session.state === 'cancelled')
    throw new Fault('wrong_state', { message: `The session ${shortId(session.id)} was cancelled` });
  if (session.spec_id === null && session.planning === null) {
    throw new Fault('wrong_state', {
      message: `The session ${shortId(session.id)} has no spec card yet`,
      hint: `Hand one in: skep session card ${shortId(session.id)} card.json`,
    });
  }
  return session;
}

/** Tries again what has stopped for a reason that a person may have mended meanwhile. */
async function tryAgain({ client }: Context, trunk: WireTrunk | undefined, options: BuildOptions): Promise<void> {
  if (trunk?.state === 'refused') {
    const body = options.leaveOutRed === true ? { red_base: 'leave_out' } : {};
    await client.request('POST', `/api/trunks/${trunk.id}/prepare`, { body, schema: trunkSchema });
  } else if (trunk?.state === 'ready' && !isPublished(trunk) && trunk.publish_error !== null) {
    await client.request('POST', `/api/trunks/${trunk.id}/publish`, { body: {}, schema: z.unknown() });
  }
}

/** By a person's word only: whatever failed was tried as often as Skep does by itself. */
async function retryFailed(context: Context, specId: string): Promise<void> {
  const { nodes } = await readGraph(context, specId);
  for (const { id, type, status } of nodes) {
    if (type === 'epic' || status !== 'failed') continue;
    await context.client.request('POST', `/api/tickets/${id}/retry`, { body: {}, schema: z.unknown() });
  }
}
