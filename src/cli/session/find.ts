import { session, sessionList, spec } from '../../../contract/sessions.ts';
import type { WireSession } from '../../../contract/sessions.ts';
import type { SpecCard } from '../../../contract/spec-card.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Context } from '../context.ts';
import { shortId, wholeId } from '../input/id.ts';
import { painted } from '../output/text.ts';
import { fields } from '../output/table.ts';

/** The whole id of a session, from one that may be shortened. */
export function sessionId(context: Context, given: string): Promise<string> {
  return wholeId(given, {
    noun: 'session',
    notFound: 'session_not_found',
    all: async () => (await allSessions(context)).map(({ id }) => id),
  });
}

export async function findSession(context: Context, given: string): Promise<WireSession> {
  return context.client.request('GET', `/api/hitl/${await sessionId(context, given)}`, { schema: session });
}

export async function allSessions({ client }: Context): Promise<WireSession[]> {
  return (await client.request('GET', '/api/hitl', { schema: sessionList })).sessions;
}

export async function specOf(context: Context, specId: string) {
  return context.client.request('GET', `/api/specs/${specId}`, { schema: spec });
}

/** The card of a spec whose planning is through. */
export async function cardOf(context: Context, specId: string): Promise<SpecCard> {
  const { card, name } = await specOf(context, specId);
  if (card === null) throw new Fault('wrong_state', { message: `The spec '${name}' is not planned yet` });
  return card;
}

export function sessionText(context: Context, session: WireSession): string {
  return fields([
    ['id', session.id],
    ['state', session.state, text => painted(context.out, text)],
    ['progress', session.progress > 0 ? `${session.progress} %` : null],
    ['planning', planningText(session)],
    ['waits for', session.waiting_for === null ? null : waits[session.waiting_for]],
    ['description', session.description],
    ['spec', session.spec_id],
    ['epic', session.epic_id],
    ['created', session.created_at],
    ['next', nextStep(session)],
  ]);
}

const waits = { answers: 'your answers', approval: 'your approval' } as const;

function planningText({ state, planning }: WireSession): string | null {
  if (planning === null || planning.state === 'done' || state !== 'clarifying') return null;
  return `${planning.phase}, ${planning.state}${planning.reason === null ? '' : `: ${planning.reason}`}`;
}

/** The line that a person would type next. */
function nextStep({ id, state, planning }: WireSession): string | null {
  const short = shortId(id);
  switch (state) {
    case 'input':
    case 'clarifying':
      if (planning?.state === 'asking') return `skep session messages ${short}, then skep session respond ${short} TEXT`;
      if (planning?.state === 'stopped') return `skep session generate ${short}`;
      return planning === null ? `skep session card ${short} card.json` : null;
    case 'reviewing':
      return `skep session approve ${short}`;
    case 'approved':
      return `skep session start-build ${short}`;
    case 'building':
    case 'failed':
      return `skep ticket graph --session ${short}`;
    default:
      return null;
  }
}
