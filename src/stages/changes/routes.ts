import { toWire } from '../../../contract/case.ts';
import { change, changeApprove, changeFilter, changeList, changeReject, type WireChange } from '../../../contract/changes.ts';
import { type Api, byId, callerOf } from '../../http/route.ts';
import { getTicket } from '../tickets/index.ts';
import type { ReviewParts } from '../reviews/index.ts';
import { getReview } from '../reviews/index.ts';
import type { ChangeRow } from './changes.sql.ts';
import { ensureCommits } from './repository/ensure.ts';
import { approveChange, getChange, listChanges, rejectChange } from './verbs.ts';

const read = { need: 'read' } as const;
const write = { need: 'write' } as const;
const diffBytesMax = 4 * 1_048_576;

/** The way of each ticket's work into the trunk, and what a person decides about it. */
export function changeRoutes(app: Api, parts: ReviewParts): void {
  const { database, settings } = parts;
  app.get('/changes', { config: read, schema: { querystring: changeFilter, response: { 200: changeList } } }, async request => {
    const { state, ticket_id: ticketId, trunk_id: trunkId, limit } = request.query;
    const rows = await database.request(callerOf(request), tx => listChanges(tx, { state, ticketId, trunkId }, limit));
    return { changes: rows.map(wireChange) };
  });

  app.get('/changes/:id', { config: read, schema: { params: byId, response: { 200: change } } }, async request =>
    wireChange(await database.request(callerOf(request), tx => getChange(tx, request.params.id))),
  );

  app.post(
    '/changes/:id/approve',
    { config: write, schema: { params: byId, body: changeApprove, response: { 200: change } } },
    async request => {
      const { head_sha: headSha } = request.body;
      return wireChange(await database.engine(callerOf(request), tx => approveChange(tx, request.params.id, headSha)));
    },
  );

  app.post(
    '/changes/:id/reject',
    { config: write, schema: { params: byId, body: changeReject, response: { 200: change } } },
    async request => {
      const { reason } = request.body;
      return wireChange(
        await database.engine(callerOf(request), tx => rejectChange(tx, request.params.id, { reason, settings })),
      );
    },
  );

  const text = { ...read, gives: 'text/plain' };
  app.get('/changes/:id/diff', { config: text, schema: { params: byId } }, async (request, reply) => {
    const caller = callerOf(request);
    const { base, head, owner } = await database.request(caller, async tx => {
      const { ticketId, reviewId } = await getChange(tx, request.params.id);
      const { baseSha, candidateSha } = await getReview(tx, reviewId);
      return { base: baseSha, head: candidateSha, owner: await getTicket(tx, ticketId) };
    });
    const repo = await ensureCommits(parts, owner, [base, head]);
    const diff = await repo.history.diff(base, head, { bytesMax: diffBytesMax });
    // What an agent wrote is shown as text and never as a page.
    return reply.type('text/plain; charset=utf-8').header('x-content-type-options', 'nosniff').send(diff);
  });
}

function wireChange(row: ChangeRow): WireChange {
  return toWire(row);
}
