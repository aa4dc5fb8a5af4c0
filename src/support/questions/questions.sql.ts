import type { QuestionOption } from '../../../contract/talk/questions.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export interface QuestionRow extends Omit<Tables['questions'], 'tenantId' | 'key'> {
  options: QuestionOption[];
}

const columns = `q.id, q.kind, q.state, q.subject_type, q.subject_id, q.project_id, q.ticket_id, q.run_id, q.spec_id, q.text, q.options,
  q.default_answer, q.answer, q.answered_by, q.due_at, q.created_at, q.decided_at`;

const sameSubject = 'q.tenant_id = $1 and q.kind = $2 and q.subject_type = $3 and q.subject_id = $4 and q.key = $5';

/** One pending question a subject and key: a second insert does nothing. $13 is in milliseconds; null: no end. */
export const insertQuestion = statement<QuestionRow>(
  'insert_question',
  `insert into questions as q (tenant_id, kind, subject_type, subject_id, key, project_id, ticket_id, run_id, spec_id, text, options,
                               default_answer, due_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, clock_timestamp() + make_interval(secs => $13::int / 1000.0))
   on conflict do nothing returning ${columns}`,
);

export const pendingQuestion = statement<QuestionRow>(
  'pending_question',
  `select ${columns} from questions q where ${sameSubject} and q.state = 'pending'`,
);

export const lastQuestion = statement<QuestionRow>(
  'last_question',
  `select ${columns} from questions q where ${sameSubject} order by q.created_at desc limit 1`,
);

export const questionById = statement<QuestionRow>(
  'question_by_id',
  `select ${columns} from questions q where q.tenant_id = $1 and q.id = $2`,
);

export const questionsFiltered = statement<QuestionRow>(
  'questions_filtered',
  `select ${columns} from questions q
    where q.tenant_id = $1 and ($3::text is null or q.state = $3) and ($4::text is null or q.ticket_id = $4)
    order by q.created_at desc, q.id limit $2`,
);

/** What agents have asked about a subject and nobody has decided, oldest first; nobody does until the transaction ends. */
export const pendingAskRows = statement<QuestionRow>(
  'pending_asks',
  `select ${columns} from questions q
    where q.tenant_id = $1 and q.kind = 'ask' and q.subject_type = $2 and q.subject_id = $3 and q.state = 'pending'
    order by q.created_at, q.id limit 100 for no key update`,
);

/** The last $4 that agents have asked about a subject since $5 and that are decided, newest first; none that was closed before its time. */
export const decidedAskRows = statement<QuestionRow>(
  'decided_asks',
  `select ${columns} from questions q
    where q.tenant_id = $1 and q.kind = 'ask' and q.subject_type = $2 and q.subject_id = $3
      and q.created_at >= $5 and (q.state = 'answered' or (q.state = 'expired' and q.due_at <= q.decided_at))
    order by q.decided_at desc, q.id limit $4`,
);

/** Questions of one kind that were asked about a subject since $5. */
export const countQuestions = statement<{ count: number }>(
  'count_questions',
  'select count(*) from questions where tenant_id = $1 and kind = $2 and subject_type = $3 and subject_id = $4 and created_at >= $5',
);

export const answerQuestionRow = statement<QuestionRow>(
  'answer_question',
  `update questions q set state = $3, answer = $4, answered_by = $5, decided_at = clock_timestamp()
    where q.tenant_id = $1 and q.id = $2 and q.state = any ($6::text[]) returning ${columns}`,
);

/** The default holds from here on. */
export const expireQuestionRow = statement<QuestionRow>(
  'expire_question',
  `update questions q set state = $3, answer = q.default_answer, decided_at = clock_timestamp()
    where q.tenant_id = $1 and q.id = $2 and q.state = any ($4::text[]) and (not $5 or q.due_at <= clock_timestamp()) returning ${columns}`,
);

/** Questions whose time has been over for longer than $1 ms, and whose asker has not seen to it. */
export const questionsOverdue = statement<{ tenantId: string; id: string }>(
  'questions_overdue',
  `select tenant_id, id from questions
    where state = 'pending' and due_at < clock_timestamp() - make_interval(secs => $1::int / 1000.0) order by due_at limit 100`,
);
