import { isDeepStrictEqual } from 'node:util';
import { executionStatus } from '../../../contract/progress.ts';
import type { WireProject } from '../../../contract/projects.ts';
import { session as sessionSchema, startBuildAnswer } from '../../../contract/sessions.ts';
import type { WireSession } from '../../../contract/sessions.ts';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import { specCard } from '../../../contract/spec-card.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Context } from '../context.ts';
import { allSessions, specOf } from '../session/find.ts';

/** By it a session is known that this command has opened and may take all its steps. */
const mark = 'skep build: ';

/** Opens a session with the card, in one step with its spec. Nothing is built yet. */
export function openSession({ client }: Context, { id }: WireProject, card: SpecCardInput): Promise<WireSession> {
  const body = { project_id: id, description: `${mark}${card.name.trim()}`, spec_card: card };
  return client.request('POST', '/api/hitl', { body, schema: sessionSchema });
}

/** Opens a session with an idea: where its project has a planner, planning begins by itself. */
export function openIdea({ client }: Context, { id }: WireProject, idea: string): Promise<WireSession> {
  return client.request('POST', '/api/hitl', { body: { project_id: id, description: `${mark}${idea}` }, schema: sessionSchema });
}

/** Takes the steps that are left until it builds; each may have been taken before. Returns the session as it is then. */
export async function beginBuild({ client }: Context, id: string): Promise<WireSession> {
  const path = `/api/hitl/${id}`;
  const { state } = await client.request('GET', path, { schema: sessionSchema });
  if (state === 'reviewing') await client.request('POST', `${path}/approve`, { body: {}, schema: sessionSchema });
  if (state === 'reviewing' || state === 'approved')
    await client.request('POST', `${path}/start-build`, { body: { confirmed: true }, schema: startBuildAnswer });
  return client.request('GET', path, { schema: sessionSchema });
}

/** A build that is not over: it builds, or this command was interrupted before it did. */
export function isUnfinished({ state, description }: WireSession): boolean {
  if (state === 'building' || state === 'failed') return true;
  return (state === 'clarifying' || state === 'reviewing' || state === 'approved') && description.startsWith(mark);
}

export interface OtherBuild {
  readonly session: WireSession;
  /** Tickets of it that a worker takes as soon as it can. */
  readonly open: number;
}

/** Looked at one by one, so not too many of them. */
const othersMax = 10;

/** Builds that are not finished and go on wherever a worker runs, beside this one. */
export async function otherBuilds(context: Context, own: WireSession): Promise<OtherBuild[]> {
  const sessions = (await allSessions(context)).filter(
    ({ id, state, spec_id }) => id !== own.id && state === 'building' && spec_id !== null,
  );
  const others = await Promise.all(
    sessions.slice(0, othersMax).map(async session => {
      const path = `/api/specs/${session.spec_id ?? ''}/execution-status`;
      const { counts } = await context.client.request('GET', path, { schema: executionStatus });
      const open = (counts['ready'] ?? 0) + (counts['claimed'] ?? 0) + (counts['running'] ?? 0);
      return { session, open };
    }),
  );
  return others.filter(({ open }) => open > 0);
}

/** Throws Fault `already_exists` where the same card is being built in the same repository already. */
export async function refuseTwice(
  context: Context,
  { card, projects, resume }: { card: SpecCardInput; projects: readonly WireProject[]; resume: (session: WireSession) => string },
): Promise<void> {
  const wanted = specCard.parse(card);
  const ids = new Set(projects.map(({ id }) => id));
  const open = (await allSessions(context)).filter(session => ids.has(session.project_id) && isUnfinished(session));
  for (const session of open) {
    if (session.spec_id === null || !isDeepStrictEqual((await specOf(context, session.spec_id)).card, wanted)) continue;
    throw new Fault('already_exists', {
      message: `This card is being built in this repository already, and it is not finished (session ${session.id.slice(0, 8)})`,
      hint: `Go on with it: ${resume(session)}. Or end it: skep session cancel ${session.id.slice(0, 8)}`,
      facts: { session_id: session.id },
    });
  }
}
