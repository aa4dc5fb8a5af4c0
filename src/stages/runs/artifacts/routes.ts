import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { toWire } from '../../../../contract/case.ts';
import { artifactList, artifactPlace, blobStored, conversationArtifact, leaseHeader } from '../../../../contract/runs.ts';
import type { Database } from '../../../db/database.ts';
import { type Api, byId, callerOf } from '../../../http/route.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Caller } from '../../../support/access/index.ts';
import type { BlobStore } from '../blobs.ts';
import type { RunSettings } from '../settings.ts';
import { getArtifact, listArtifacts, storeArtifact } from './artifacts.ts';

interface ArtifactParts {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly settings: RunSettings;
}

const work = { need: 'work' } as const;
const read = { need: 'read' } as const;
const asBytes = 'application/octet-stream';

/** What a run keeps beside its work; of which `conversation` is for the next attempt. */
export function artifactRoutes(app: Api, { database, blobs, settings }: ArtifactParts): void {
  const lease = z.looseObject({ [leaseHeader]: z.string().min(1, 'the lease token of the claim').max(200) });
  const bytesMax = settings.limits.bundle_bytes_max;
  app.put(
    '/runs/:id/artifacts/:name',
    {
      config: { ...work, takes: asBytes },
      bodyLimit: bytesMax,
      schema: { params: artifactPlace, headers: lease, response: { 200: blobStored } },
    },
    async request => {
      const { id: runId, name } = request.params;
      const scope = { ...callerOf(request), holder: { runId, token: request.headers[leaseHeader] } };
      if (!isStream(request.body)) throw new Fault('unsupported_media_type', { hint: `Send the artifact as ${asBytes}` });
      const stored = await storeArtifact({ database, blobs }, scope, { name, source: request.body, bytesMax });
      return { blob: stored.sha256, size: stored.size };
    },
  );

  app.get('/runs/:id/artifacts', { config: read, schema: { params: byId, response: { 200: artifactList } } }, async request => {
    const rows = await database.request(callerOf(request), tx => listArtifacts(tx, request.params.id));
    return { artifacts: rows.map(({ sha256, ...row }) => toWire({ ...row, blob: sha256 })) };
  });

  const content = async (caller: Caller, id: string, name: string) => {
    const { sha256 } = await database.request(caller, tx => getArtifact(tx, id, name));
    return blobs.read(sha256);
  };
  app.get(
    '/runs/:id/artifacts/:name',
    { config: { ...read, gives: asBytes }, schema: { params: artifactPlace } },
    async (request, reply) => {
      const { id, name } = request.params;
      const bytes = await content(callerOf(request), id, name);
      // What an agent made is handed out as bytes and never as a page.
      return reply.type(asBytes).header('x-content-type-options', 'nosniff').send(bytes);
    },
  );
  app.get('/runs/:id/conversation', { config: { ...work, gives: asBytes }, schema: { params: byId } }, async (request, reply) =>
    reply.type(asBytes).send(await content(callerOf(request), request.params.id, conversationArtifact)),
  );
}

function isStream(body: unknown): body is IncomingMessage {
  return typeof body === 'object' && body !== null && 'pipe' in body;
}
