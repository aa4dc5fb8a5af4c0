import type { FastifyReply } from 'fastify';
import { PassThrough, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { leaseHeader } from '../../../../contract/runs.ts';
import { type Api, byId, callerOf } from '../../../http/route.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { ReviewParts } from '../../reviews/index.ts';
import { commitsOfHolder, type Wanted } from './holder.ts';

const headers = z.looseObject({
  [leaseHeader]: z.string().min(1, 'the lease token of the claim').max(200),
  'git-protocol': z.string().max(200).optional(),
  'content-encoding': z.string().max(20).optional(),
});
const service = z.object({ service: z.literal('git-upload-pack', 'only git-upload-pack is served here') });
const requestType = 'application/x-git-upload-pack-request';
/** What a worker wants is one commit or two; what it has already can be many lines. */
const requestBytesMax = 8 * 1_048_576;

/**
 * Git's smart HTTP for the holder of a run: `git fetch …/api/runs/:id/repository COMMIT`. It gives the commits of the run's task with
 * their history, and nothing else of the repository.
 */
export function repositoryRoutes(app: Api, parts: ReviewParts): void {
  app.addContentTypeParser(requestType, (_request, payload, done) => done(null, payload));

  const advertisement = { need: 'work', gives: 'application/x-git-upload-pack-advertisement' } as const;
  app.get(
    '/runs/:id/repository/info/refs',
    { config: advertisement, schema: { params: byId, querystring: service, headers } },
    async (request, reply) => {
      const holder = { runId: request.params.id, token: request.headers[leaseHeader] };
      const wanted = await commitsOfHolder(parts, callerOf(request), { service: 'advertise', ...holder });
      return answer(reply, wanted, { service: 'advertise', protocol: request.headers['git-protocol'] });
    },
  );

  const pack = { need: 'work', takes: requestType, gives: 'application/x-git-upload-pack-result' } as const;
  app.post(
    '/runs/:id/repository/git-upload-pack',
    { config: pack, bodyLimit: requestBytesMax, schema: { params: byId, headers } },
    async (request, reply) => {
      const holder = { runId: request.params.id, token: request.headers[leaseHeader] };
      const wanted = await commitsOfHolder(parts, callerOf(request), { service: 'rpc', ...holder });
      const input = uncompressed(request.body, request.headers['content-encoding']);
      return answer(reply, wanted, { service: 'rpc', protocol: request.headers['git-protocol'], input });
    },
  );
}

function answer(
  reply: FastifyReply,
  { repo, wants }: Wanted,
  request: { service: 'advertise' | 'rpc'; protocol: string | undefined; input?: Readable },
): FastifyReply {
  const output = new PassThrough();
  repo.transfer.uploadPack({ ...request, output, wants }).catch((error: unknown) => {
    output.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  const kind = request.service === 'advertise' ? 'advertisement' : 'result';
  return reply.type(`application/x-git-upload-pack-${kind}`).header('cache-control', 'no-store').send(output);
}

function uncompressed(body: unknown, encoding: string | undefined): Readable {
  if (typeof body !== 'object' || body === null || !('pipe' in body)) {
    throw new Fault('unsupported_media_type', { hint: `Send what git sends, as ${requestType}` });
  }
  const source = body as Readable;
  return encoding === 'gzip' ? source.pipe(createGunzip()) : source;
}
