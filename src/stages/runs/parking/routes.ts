import { z } from 'zod';
import { ticketId } from '../../../../contract/fields.ts';
import { question, questionAnswer } from '../../../../contract/talk/questions.ts';
import { ticket, ticketRetry } from '../../../../contract/tickets.ts';
import type { Database } from '../../../db/database.ts';
import { type Api, byId, callerOf } from '../../../http/route.ts';
import { failpoint } from '../../../kernel/failpoint.ts';
import { wireQuestion } from '../../../support/questions/index.ts';
import { wireTicket } from '../../tickets/index.ts';
import type { RunSettings } from '../settings.ts';
import { retryWork } from './close.ts';
import { decideQuestion } from './decide.ts';
import { retryRun } from './retry.ts';

const config = { need: 'write' } as const;

/** What a person decides of work that waits, or that has failed. */
export function decisionRoutes(app: Api, { database, settings }: { database: Database; settings: RunSettings }): void {
  app.post(
    '/questions/:id/answer',
    { config, schema: { params: byId, body: questionAnswer, response: { 200: question } } },
    async request => {
      const { params, body } = request;
      const question = await database.request(callerOf(request), tx => decideQuestion(tx, { ...params, ...body }, settings));
      failpoint('answer-committed');
      return wireQuestion(question);
    },
  );

  app.post(
    '/tickets/:id/retry',
    { config, schema: { params: z.object({ id: ticketId }), body: ticketRetry, response: { 200: ticket } } },
    async request => wireTicket(await database.request(callerOf(request), tx => retryWork(tx, request.params.id, request.body))),
  );

  app.post('/runs/:id/retry', { config, schema: { params: byId, body: ticketRetry, response: { 200: ticket } } }, async request =>
    wireTicket(await database.request(callerOf(request), tx => retryRun(tx, request.params.id, request.body))),
  );
}
