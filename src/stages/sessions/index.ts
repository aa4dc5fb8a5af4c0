/** Sessions: a conversation that turns an idea into an approved spec. */
export { sessionProgress } from './model/session.ts';
export type { SessionRow } from './sessions.sql.ts';
export {
  abandonSession,
  announceSession,
  answerSession,
  approveSession,
  beginBuilding,
  cancelSession,
  completeSession,
  getSession,
  holdSession,
  listMessages,
  listSessions,
  openSession,
  presentSpec,
  rejectedMark,
  rejectSession,
  sayIn,
} from './verbs.ts';
