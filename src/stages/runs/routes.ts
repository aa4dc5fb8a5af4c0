import { Readable } from 'node:stream';
import { fromWire } from '../../../contract/case.ts';
import { logRead, run, runDetail, runFilter, runList } from '../../../contract/runs.ts';
import type { Database } from '../../db/database.ts';
import { decodePlace, encodeCursor } from '../../http/cursor.ts';
import { type Api, byId, callerOf } from '../../http/route.ts';
import { Fault } from '../../kernel/fault.ts';
import type { BlobStore } from './blobs.ts';
import { listRuns, showRun } from './reads.ts';
import { readLog } from './uploads.ts';
import { cancelRun, getRun } from './verbs.ts';
import { wireRun, wireRunDetail } from './wire.ts';

const runCursor = 'run';
const read = { need: 'read' } as const;

/** What people see of runs. The routes by which workers execute them stand in protocol/. */
export function runRoutes(app: Api, { database, blobs }: { database: Database; blobs: BlobStore }): void {
  app.get('/runs', { config: read, schema: { querystring: runFilter, response: { 200: runList } } }, async request => {
    const { limit, after, ...filter } = request.query;
    const from = decodePlace(runCursor, after);
    const rows = await database.request(callerOf(request), tx => listRuns(tx, fromWire(filter), { after: from, limit }));
    const last = rows.at(-1);
    const next =
      last !== undefined && rows.length === limit ? encodeCursor(runCursor, last.createdAt.toISOString(), last.id) : null;
    return { runs: rows.map(wireRun), next };
  });

  app.get('/runs/:id', { config: read, schema: { params: byId, response: { 200: runDetail } } }, async request =>
    wireRunDetail(await database.request(callerOf(request), tx => showRun(tx, request.params.id))),
  );

  app.post('/runs/:id/cancel', { config: { need: 'write' }, schema: { params: byId, response: { 200: run } } }, async request =>
    wireRun(await database.engine(callerOf(request), tx => cancelRun(tx, request.params.id))),
  );

  const text = { ...read, gives: 'text/plain' };
  app.get('/runs/:id/log', { config: text, schema: { params: byId, querystring: logRead } }, async (request, reply) => {
    const caller = callerOf(request);
    const { id } = await database.request(caller, tx => getRun(tx, request.params.id));
    const pieces = readLog(database, caller, { runId: id, offset: request.query.offset });
    // What an agent printed is shown as text and never as a page.
    return reply.type('text/plain; charset=utf-8').header('x-content-type-options', 'nosniff').send(Readable.from(pieces));
  });

  const bytes = { ...read, gives: 'application/octet-stream' };
  app.get('/runs/:id/bundle', { config: bytes, schema: { params: byId } }, async (request, reply) => {
    const { result } = await database.request(callerOf(request), tx => getRun(tx, request.params.id));
    if (result?.bundle === undefined) throw new Fault('blob_not_found', { message: 'This run has handed in no bundle' });
    return reply.type('application/octet-stream').send(await blobs.read(result.bundle));
  });
}
