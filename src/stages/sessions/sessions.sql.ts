import type { Question } from '../../../contract/talk/planning.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export type SessionRow = Omit<Tables['sessions'], 'tenantId'>;

export interface MessageRow extends Omit<Tables['session_messages'], 'tenantId' | 'sessionId'> {
  questions: Question[] | null;
}

const columns = 'id, project_id, description, state, created_at, updated_at';

export const sessionById = statement<SessionRow>(
  'session_by_id',
  `select ${columns} from sessions where tenant_id = $1 and id = $2`,
);

/** Held until the transaction ends: of two who decide at once, the second sees what the first did. */
export const sessionForUpdate = statement<SessionRow>('session_for_update', `${sessionById.text} for no key update`);

export const sessionsOfTenant = statement<SessionRow>(
  'sessions_of_tenant',
  `select ${columns} from sessions where tenant_id = $1 order by created_at desc, id limit $2`,
);

export const insertSession = statement<SessionRow>(
  'insert_session',
  `insert into sessions (tenant_id, project_id, description, state) values ($1, $2, $3, $4) returning ${columns}`,
);

export const moveSessionRow = statement<SessionRow>(
  'move_session',
  `update sessions set state = $3, updated_at = now() where tenant_id = $1 and id = $2 and state = any ($4::text[]) returning ${columns}`,
);

export const insertMessage = statement<MessageRow>(
  'insert_message',
  `insert into session_messages (tenant_id, session_id, number, author, text, questions)
   select $1, $2, 1 + coalesce(max(number), 0), $3, $4, $5::jsonb from session_messages where tenant_id = $1 and session_id = $2
   returning number, author, text, questions, created_at`,
);

export const messagesOfSession = statement<MessageRow>(
  'messages_of_session',
  'select number, author, text, questions, created_at from session_messages where tenant_id = $1 and session_id = $2 order by number',
);
