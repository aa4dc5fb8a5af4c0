import type { EventType, News } from '../../../contract/events.ts';
import type { Question } from '../../../contract/talk/planning.ts';
import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { Fault } from '../../kernel/fault.ts';
import { isFinal, move } from '../../kernel/machine.ts';
import { getProject, projectNamed } from '../../support/projects/index.ts';
import { sessionMachine, type SessionVerb } from './model/session.ts';
import {
  insertMessage,
  insertSession,
  type MessageRow,
  messagesOfSession,
  moveSessionRow,
  type SessionRow,
  sessionById,
  sessionForUpdate,
  sessionsOfTenant,
} from './sessions.sql.ts';

/** Sessions shown in one list, newest first. */
const listMax = 500;

export async function openSession(
  tx: Tx,
  wanted: { description: string; projectId?: string | undefined; projectName?: string | undefined },
): Promise<SessionRow> {
  const project =
    wanted.projectId === undefined ? await projectNamed(tx, wanted.projectName ?? '') : await getProject(tx, wanted.projectId);
  const [session] = await tx.query(insertSession, [tx.tenantId, project.id, wanted.description, 'clarifying']);
  if (session === undefined) throw new Error('the session was not stored');
  await sayIn(tx, session.id, { author: 'person', text: wanted.description });
  announce(tx, 'session.opened', session);
  return session;
}

export async function answerSession(tx: Tx, id: string, text: string): Promise<SessionRow> {
  const session = await holdSession(tx, id);
  if (isFinal(sessionMachine, session.state)) throw wrongState(session, 'answered');
  await sayIn(tx, id, { author: 'person', text });
  announce(tx, 'session.answered', session);
  return session;
}

/** How the message begins with which a person sends a spec back. */
export const rejectedMark = 'Rejected: ';

/** Adds to the conversation. The caller holds the session: of two messages at once each has its own number. */
export async function sayIn(tx: Tx, id: string, { author, text, questions }: NewMessage): Promise<void> {
  const asked = questions === undefined ? null : JSON.stringify(questions);
  await tx.query(insertMessage, [tx.tenantId, id, author, text, asked]);
}

interface NewMessage {
  readonly author: 'person' | 'clarifier' | 'planner';
  readonly text: string;
  readonly questions?: readonly Question[];
}

/** A spec is ready for a person's approval. */
export function presentSpec(tx: Tx, id: string): Promise<SessionRow> {
  return moveSession(tx, id, { verb: 'present', type: 'session.reviewing', done: 'given a spec' });
}

export async function approveSession(tx: Tx, id: string): Promise<SessionRow> {
  const session = await moveSession(tx, id, { verb: 'approve', type: 'session.approved', done: 'approved' });
  failpoint('session-approved');
  return session;
}

export async function rejectSession(tx: Tx, id: string, reason: string): Promise<SessionRow> {
  const session = await moveSession(tx, id, { verb: 'reject', type: 'session.rejected', done: 'rejected' });
  await sayIn(tx, id, { author: 'person', text: `${rejectedMark}${reason}` });
  return session;
}

export function beginBuilding(tx: Tx, id: string): Promise<SessionRow> {
  return moveSession(tx, id, { verb: 'build', type: 'session.building', done: 'built' });
}

/** What it was opened for is built and proven. */
export function completeSession(tx: Tx, id: string): Promise<SessionRow> {
  return moveSession(tx, id, { verb: 'complete', type: 'session.completed', done: 'completed' });
}

/** Ends the session; what it has already started is cancelled by the flow. */
export function cancelSession(tx: Tx, id: string): Promise<SessionRow> {
  return moveSession(tx, id, { verb: 'cancel', type: 'session.cancelled', done: 'cancelled' });
}

/** All that it has started was cancelled piece by piece: there is nothing left to build. A session that is over stays as it is. */
export async function abandonSession(tx: Tx, id: string): Promise<void> {
  const { to, from } = move(sessionMachine, 'cancel');
  const [session] = await tx.query(moveSessionRow, [tx.tenantId, id, to, from]);
  if (session !== undefined) announce(tx, 'session.cancelled', session);
}

export async function getSession(tx: Tx, id: string): Promise<SessionRow> {
  const [session] = await tx.query(sessionById, [tx.tenantId, id]);
  if (session === undefined) throw new Fault('session_not_found');
  return session;
}

/** The session, locked until the transaction ends. */
export async function holdSession(tx: Tx, id: string): Promise<SessionRow> {
  const [session] = await tx.query(sessionForUpdate, [tx.tenantId, id]);
  if (session === undefined) throw new Fault('session_not_found');
  return session;
}

export function listSessions(tx: Tx): Promise<SessionRow[]> {
  return tx.query(sessionsOfTenant, [tx.tenantId, listMax]);
}

export async function listMessages(tx: Tx, id: string): Promise<MessageRow[]> {
  await getSession(tx, id);
  return tx.query(messagesOfSession, [tx.tenantId, id]);
}

async function moveSession(tx: Tx, id: string, step: { verb: SessionVerb; type: EventType; done: string }): Promise<SessionRow> {
  const { to, from } = move(sessionMachine, step.verb);
  const [session] = await tx.query(moveSessionRow, [tx.tenantId, id, to, from]);
  if (session === undefined) throw wrongState(await getSession(tx, id), step.done);
  announce(tx, step.type, session);
  return session;
}

function wrongState(session: SessionRow, done: string): Fault {
  return new Fault('wrong_state', {
    message: `A session that is ${session.state} cannot be ${done}`,
    facts: { currentState: session.state },
  });
}

function announce(tx: Tx, type: EventType, session: SessionRow): void {
  announceSession(tx, session, { type });
}

/** Tells the log of a session; `news` stands beside what every event of a session says. */
export function announceSession(tx: Tx, { id, state, projectId }: SessionRow, { type, ...news }: News): void {
  tx.announce({ type, subject: { type: 'session', id }, payload: { state, projectId, ...news } });
}
