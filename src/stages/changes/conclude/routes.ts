import { toWire } from '../../../../contract/case.ts';
import { result, resultList, resultSubmit, resultValidate } from '../../../../contract/results.ts';
import { spec, specEdit } from '../../../../contract/sessions.ts';
import type { Database } from '../../../db/database.ts';
import { type Api, byId, callerOf } from '../../../http/route.ts';
import { editSpec, listResults } from '../../specs/index.ts';
import { claimResult, judgeResult } from './conclude.ts';

/** Results of specs. They stand here, in the latest stage that they touch: their evidence is what was merged. */
export function resultRoutes(app: Api, database: Database): void {
  const write = { need: 'write' } as const;

  app.get(
    '/specs/:id/results',
    { config: { need: 'read' }, schema: { params: byId, response: { 200: resultList } } },
    async request => {
      const rows = await database.request(callerOf(request), tx => listResults(tx, request.params.id));
      return { results: rows.map(toWire) };
    },
  );

  app.post(
    '/specs/:id/results',
    { config: write, schema: { params: byId, body: resultSubmit, response: { 201: result } } },
    async (request, reply) => {
      const made = await database.request(callerOf(request), tx => claimResult(tx, request.params.id, request.body.summary));
      return reply.code(201).send(toWire(made));
    },
  );

  app.post(
    '/results/:id/validate',
    { config: write, schema: { params: byId, body: resultValidate, response: { 200: result } } },
    async request => toWire(await database.request(callerOf(request), tx => judgeResult(tx, request.params.id, request.body))),
  );

  app.patch('/specs/:id', { config: write, schema: { params: byId, body: specEdit, response: { 200: spec } } }, async request =>
    toWire(
      await database.request(callerOf(request), tx =>
        editSpec(tx, request.params.id, { onResultFound: request.body.on_result_found }),
      ),
    ),
  );
}
