import { z } from 'zod';
import { costs } from '../../../../contract/models/budgets.ts';
import type { WireCosts } from '../../../../contract/models/budgets.ts';
import { change, changeList } from '../../../../contract/changes.ts';
import type { WireChange } from '../../../../contract/changes.ts';
import { question, questionList } from '../../../../contract/talk/questions.ts';
import type { WireQuestion } from '../../../../contract/talk/questions.ts';
import { resultList } from '../../../../contract/results.ts';
import type { WireResult } from '../../../../contract/results.ts';
import { review, reviewList } from '../../../../contract/reviews.ts';
import type { WireReview } from '../../../../contract/reviews.ts';
import { runList } from '../../../../contract/runs.ts';
import { session } from '../../../../contract/sessions.ts';
import type { WireSession } from '../../../../contract/sessions.ts';
import { ticket, ticketGraph } from '../../../../contract/tickets.ts';
import type { WireTicket, WireTicketGraph } from '../../../../contract/tickets.ts';
import { trunkList } from '../../../../contract/trunks.ts';
import type { WireTrunk } from '../../../../contract/trunks.ts';
import type { Context } from '../../context.ts';

/** What a build is asked for over HTTP. */
export function readGraph({ client }: Context, specId: string): Promise<WireTicketGraph> {
  return client.request('GET', '/api/tickets/graph', { query: { spec_id: specId }, schema: ticketGraph });
}

export function readSession({ client }: Context, id: string): Promise<WireSession> {
  return client.request('GET', `/api/hitl/${id}`, { schema: session });
}

export async function readTrunk({ client }: Context, specId: string): Promise<WireTrunk | undefined> {
  const { trunks } = await client.request('GET', '/api/trunks', { query: { spec_id: specId }, schema: trunkList });
  return trunks[0];
}

export function readTicket({ client }: Context, id: string): Promise<WireTicket> {
  return client.request('GET', `/api/tickets/${id}`, { schema: ticket });
}

export function readReview({ client }: Context, id: string): Promise<WireReview> {
  return client.request('GET', `/api/reviews/${id}`, { schema: review });
}

/** The newest ones, newest first. */
export async function readReviews({ client }: Context, trunkId: string): Promise<WireReview[]> {
  const query = { trunk_id: trunkId, limit: listMax };
  return (await client.request('GET', '/api/reviews', { query, schema: reviewList })).reviews;
}

export function readChange({ client }: Context, id: string): Promise<WireChange> {
  return client.request('GET', `/api/changes/${id}`, { schema: change });
}

export async function readChanges({ client }: Context, trunkId: string): Promise<WireChange[]> {
  const query = { trunk_id: trunkId, limit: listMax };
  return (await client.request('GET', '/api/changes', { query, schema: changeList })).changes;
}

export function readQuestion({ client }: Context, id: string): Promise<WireQuestion> {
  return client.request('GET', `/api/questions/${id}`, { schema: question });
}

/** All that nobody has answered yet, of whatever build. */
export async function readOpenQuestions({ client }: Context): Promise<WireQuestion[]> {
  const query = { state: 'pending', limit: listMax };
  return (await client.request('GET', '/api/questions', { query, schema: questionList })).questions;
}

export function readTrunkLog({ client }: Context, trunkId: string): Promise<string> {
  return client.request('GET', `/api/trunks/${trunkId}/log`, { schema: z.string() });
}

/** Whether a worker has something in hand just now, whosever it is. */
export async function isAnyRunLive({ client }: Context): Promise<boolean> {
  for (const state of ['leased', 'starting', 'working']) {
    const { runs } = await client.request('GET', '/api/runs', { query: { state, limit: 1 }, schema: runList });
    if (runs.length > 0) return true;
  }
  return false;
}

/** What models were asked for it, and what that cost. */
export function readCosts({ client }: Context, specId: string): Promise<WireCosts> {
  return client.request('GET', '/api/costs', { query: { spec_id: specId, by: 'agent' }, schema: costs });
}

/** What has become of the newest result; undefined where nobody has handed one in. */
export async function readResult({ client }: Context, specId: string): Promise<WireResult['state'] | undefined> {
  const { results } = await client.request('GET', `/api/specs/${specId}/results`, { schema: resultList });
  return results.toSorted((a, b) => b.version - a.version)[0]?.state;
}

/** The largest page that the server gives (contract: pageLimit). */
export const listMax = 500;
