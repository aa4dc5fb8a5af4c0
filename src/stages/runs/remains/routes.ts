import type { IncomingMessage } from 'node:http';
import { blobStored, bury, rescuePlace, runAnswer } from '../../../../contract/runs.ts';
import type { Database } from '../../../db/database.ts';
import { type Api, byId, callerOf } from '../../../http/route.ts';
import { failpoint } from '../../../kernel/failpoint.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { BlobStore } from '../blobs.ts';
import { buryRun } from '../recovery/lose.ts';
import type { RunSettings } from '../settings.ts';
import { wireRun } from '../wire.ts';
import { getRescue, storeRescue } from './remains.ts';

interface RemainsParts {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly settings: RunSettings;
}

const work = { need: 'work' } as const;
const asBytes = 'application/octet-stream';

/** What a worker says that has found what a dead one left: it has no lease of that run, and names its claim by the fence. */
export function remainsRoutes(app: Api, { database, blobs, settings }: RemainsParts): void {
  const bytesMax = settings.limits.bundle_bytes_max;
  app.put(
    '/runs/:id/rescue',
    {
      config: { ...work, takes: asBytes },
      bodyLimit: bytesMax,
      schema: { params: byId, querystring: rescuePlace, response: { 200: blobStored } },
    },
    async request => {
      if (!isStream(request.body)) throw new Fault('unsupported_media_type', { hint: `Send the bundle as ${asBytes}` });
      const claim = { runId: request.params.id, ...request.query };
      const upload = { ...claim, source: request.body, bytesMax };
      const stored = await storeRescue({ database, blobs }, callerOf(request), upload);
      return { blob: stored.sha256, size: stored.size };
    },
  );

  app.get('/runs/:id/rescue', { config: { need: 'read', gives: asBytes }, schema: { params: byId } }, async (request, reply) => {
    const { sha256 } = await database.request(callerOf(request), tx => getRescue(tx, request.params.id));
    const bytes = await blobs.read(sha256);
    return reply.type(asBytes).header('x-content-type-options', 'nosniff').send(bytes);
  });

  app.post(
    '/runs/:id/bury',
    { config: work, schema: { params: byId, body: bury, response: { 200: runAnswer } } },
    async request => {
      const { id } = request.params;
      const claim = { ...request.body, settings };
      const run = await database.engine(callerOf(request), tx => buryRun(tx, id, claim));
      failpoint('run-buried');
      return { run: wireRun(run) };
    },
  );
}

function isStream(body: unknown): body is IncomingMessage {
  return typeof body === 'object' && body !== null && 'pipe' in body;
}
