import { question, questionFilter, questionList } from '../../../contract/talk/questions.ts';
import type { Database } from '../../db/database.ts';
import { type Api, byId, callerOf } from '../../http/route.ts';
import { getQuestion, listQuestions } from './verbs.ts';
import { wireQuestion } from './wire.ts';

const read = { need: 'read' } as const;

/** What waits for a person. The route by which it is answered stands in the stage that goes on from there. */
export function questionRoutes(app: Api, database: Database): void {
  app.get(
    '/questions',
    { config: read, schema: { querystring: questionFilter, response: { 200: questionList } } },
    async request => {
      const { state, ticket_id: ticketId, limit } = request.query;
      const rows = await database.request(callerOf(request), tx => listQuestions(tx, { state, ticketId, limit }));
      return { questions: rows.map(wireQuestion) };
    },
  );

  app.get('/questions/:id', { config: read, schema: { params: byId, response: { 200: question } } }, async request =>
    wireQuestion(await database.request(callerOf(request), tx => getQuestion(tx, request.params.id))),
  );
}
