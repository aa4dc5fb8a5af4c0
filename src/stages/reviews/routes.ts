import { toWire } from '../../../contract/case.ts';
import { review, reviewFilter, reviewList, type WireReview } from '../../../contract/reviews.ts';
import { type Api, byId, callerOf } from '../../http/route.ts';
import type { Database } from '../../db/database.ts';
import { getReview, listReviews } from './reads.ts';
import type { ReviewRow } from './reviews.sql.ts';

const config = { need: 'read' } as const;

export function reviewRoutes(app: Api, database: Database): void {
  app.get('/reviews', { config, schema: { querystring: reviewFilter, response: { 200: reviewList } } }, async request => {
    const { ticket_id: ticketId, trunk_id: trunkId, limit } = request.query;
    const rows = await database.request(callerOf(request), tx => listReviews(tx, { ticketId, trunkId, limit }));
    return { reviews: rows.map(wireReview) };
  });

  app.get('/reviews/:id', { config, schema: { params: byId, response: { 200: review } } }, async request =>
    wireReview(await database.request(callerOf(request), tx => getReview(tx, request.params.id))),
  );
}

function wireReview(row: ReviewRow): WireReview {
  return toWire(row);
}
