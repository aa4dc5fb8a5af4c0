import type { SpecCardInput } from '../../contract/spec-card.ts';
import type { Proof } from '../../contract/results.ts';
import { startBuild } from '../../src/stages/tickets/build.ts';
import { completeTicket } from '../../src/stages/tickets/index.ts';
import type { Stages } from './stages.ts';

interface Merge {
  readonly proof?: Proof;
  readonly reviewState?: 'passed' | 'needs_work';
  /** What was reviewed, where it is not what was handed in. */
  readonly reviewed?: string;
}

/** A build whose work is merged by raw rows, as git and the reviews would leave it. */
export interface Built {
  readonly sessionId: string;
  readonly specId: string;
  readonly epicId: string;
  readonly ticketIds: readonly string[];
  readonly trunkId: string;
  readonly base: string;
  /** Merges a ticket's work into the trunk and completes the ticket; the new head. */
  merge(ticketId: string | undefined, how?: Merge): Promise<string>;
  /** Completes a ticket without any change. */
  complete(ticketId: string | undefined): Promise<void>;
  publish(): Promise<void>;
  /** State of the session, status and phase of the spec. */
  states(): Promise<{ session: string; spec: string; phase: string }>;
}

/** Stands for a commit. */
export const sha = (number: number) => number.toString(16).padStart(40, '0');

export async function buildForTests(stages: Stages, card: SpecCardInput): Promise<Built> {
  const { tenantId, projectId, sql } = stages;
  const sessionId = await stages.approved(card);
  const { epicId } = await stages.app(tx => startBuild(tx, sessionId));
  const tickets = await sql<{ id: string; specId: string }>(
    `select id, spec_id as "specId" from tickets where session_id = $1 and type <> 'epic' order by number`,
    [sessionId],
  );
  const specId = tickets[0]?.specId ?? '';
  const base = sha(1);
  let merges = 0;
  const trunkId = await idOf(
    stages,
    `insert into trunks (tenant_id, project_id, spec_id, branch, state, red_base, base_sha, head_sha)
     values ($1, $2, $3, $4, 'ready', 'refuse', $5, $5) returning id`,
    [tenantId, projectId, specId, `skep/${card.name}`, base],
  );

  const complete: Built['complete'] = async (ticketId = '') => {
    await sql(`update tickets set status = 'verifying' where tenant_id = $1 and id = $2`, [tenantId, ticketId]);
    await stages.engine(tx => completeTicket(tx, ticketId, 'unproven'));
  };

  return {
    sessionId,
    specId,
    epicId,
    ticketIds: tickets.map(ticket => ticket.id),
    trunkId,
    base,
    complete,
    async merge(ticketId = '', { proof = 'proven', reviewState = 'passed', reviewed } = {}) {
      const [from, head, merge] = [sha(100 + merges), sha(200 + merges), sha(101 + merges)];
      merges++;
      const runId = await handedIn(stages, ticketId);
      const reviewId = await idOf(
        stages,
        `insert into reviews (tenant_id, kind, trunk_id, ticket_id, run_id, round, state, head_sha, base_sha, candidate_sha, checks, ended_at)
         values ($1, 'submission', $2, $3, $4, 1, $5, $6, $7, $8, $9, now()) returning id`,
        [tenantId, trunkId, ticketId, runId, reviewState, reviewed ?? head, from, merge, JSON.stringify([ranCheck])],
      );
      await sql(
        `insert into changes (tenant_id, trunk_id, ticket_id, state, approval, head_sha, base_sha, review_id, run_id, merge_sha, merge_number, merged_at)
         values ($1, $2, $3, 'merged', 'not_needed', $4, $5, $6, $7, $8, $9, now())`,
        [tenantId, trunkId, ticketId, head, from, reviewId, runId, merge, merges],
      );
      await sql('update trunks set head_sha = $2, merge_count = $3 where id = $1', [trunkId, merge, merges]);
      await sql(`update tickets set status = 'merging' where tenant_id = $1 and id = $2`, [tenantId, ticketId]);
      await stages.engine(tx => completeTicket(tx, ticketId, proof));
      return merge;
    },
    async publish() {
      await sql('update trunks set published_sha = head_sha where id = $1', [trunkId]);
    },
    async states() {
      const [row] = await sql<{ session: string; spec: string; phase: string }>(
        `select s.state as session, p.status as spec, p.phase from specs p join sessions s on s.id = p.session_id where p.id = $1`,
        [specId],
      );
      if (row === undefined) throw new Error('the spec is gone');
      return row;
    },
  };
}

/** An accepted run of a ticket that came with a bundle; its id. */
export function handedIn(stages: Stages, ticketId: string): Promise<string> {
  return idOf(
    stages,
    `insert into runs (tenant_id, subject_type, subject_id, ticket_id, attempt, state, result, ended_at)
     values ($1, 'ticket', $2, $2, 1, 'accepted', $3, now()) returning id`,
    [stages.tenantId, ticketId, JSON.stringify({ summary: '', bundle: 'b'.repeat(64) })],
  );
}

/** A check as a review keeps it; what it printed is for the review alone. */
const ranCheck = {
  name: 'test',
  command: ['npm', 'test'],
  outcome: 'exited',
  exit_code: 0,
  duration_ms: 12,
  flaky: false,
  tests: null,
  output_tail: 'what it printed',
};

async function idOf({ sql }: Stages, text: string, values: readonly unknown[]): Promise<string> {
  const [row] = await sql<{ id: string }>(text, values);
  if (row === undefined) throw new Error('nothing was stored');
  return row.id;
}
