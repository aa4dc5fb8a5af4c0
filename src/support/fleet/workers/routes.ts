import { z } from 'zod';
import { toWire } from '../../../../contract/case.ts';
import { byName, workerBeat, workerBeatAnswer, workerList } from '../../../../contract/fleet/workers.ts';
import type { Database } from '../../../db/database.ts';
import { type Api, callerOf } from '../../../http/route.ts';
import { beatMs, beatWorker, listWorkers, tellToDrain } from './verbs.ts';

export function workerRoutes(app: Api, database: Database): void {
  app.put(
    '/workers/:name',
    { config: { need: 'work' }, schema: { params: byName, body: workerBeat, response: { 200: workerBeatAnswer } } },
    async request => {
      const beat = { ...request.body, name: request.params.name };
      const { isToldToDrain, kills } = await beatWorker(database, callerOf(request), beat);
      return { beat_ms: beatMs, is_told_to_drain: isToldToDrain, kills: [...kills] };
    },
  );

  app.get('/workers', { config: { need: 'read' }, schema: { response: { 200: workerList } } }, async request => ({
    workers: (await database.request(callerOf(request), listWorkers)).map(row => toWire(row)),
  }));

  for (const [verb, drains] of [
    ['drain', true],
    ['undrain', false],
  ] as const) {
    app.post(
      `/workers/:name/${verb}`,
      { config: { need: 'admin' }, schema: { params: byName, response: { 204: z.null() } } },
      async (request, reply) => {
        await database.request(callerOf(request), tx => tellToDrain(tx, request.params.name, drains));
        return reply.code(204).send(null);
      },
    );
  }
}
