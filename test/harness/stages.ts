import { rmSync } from 'node:fs';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { SpecCardInput } from '../../contract/spec-card.ts';
import { specCard } from '../../contract/spec-card.ts';
import type { Tx } from '../../src/db/database.ts';
import { type FlowParts, tasks } from '../../src/flow.ts';
import { approveSession, openSession } from '../../src/stages/sessions/index.ts';
import { handInCard } from '../../src/stages/specs/index.ts';
import { openTicket } from '../../src/stages/tickets/index.ts';
import type { NewTicket } from '../../src/stages/tickets/verbs.ts';
import { type ClaimedRun, type ClaimWish, claimNext } from '../../src/stages/runs/queue/claim.ts';
import type { RunSettings } from '../../src/stages/runs/index.ts';
import { createProject } from '../../src/support/projects/verbs.ts';
import { refuseDrift } from '../replay/drift.ts';
import { sessionOptions, type TestDatabase, testDatabase } from './database.ts';
import { doJobs } from './jobs.ts';
import { ownerless, type Ownerless, refuseOwnerless } from './ownerless.ts';
import { tempFolder } from './process.ts';
import { testSettings, testStores } from './stores.ts';

/** The stages on a real database, with the jobs of the flow done when a test says so: no server, no loop, no waiting. */
export interface Stages extends TestDatabase {
  readonly tenantId: string;
  readonly projectId: string;
  readonly settings: RunSettings;
  /** Of the test's own: depot and blobs. */
  readonly folder: string;
  /** What the flow works with: a real depot, real blobs and the real git, in a folder of the test's own. */
  readonly parts: FlowParts;
  /** A transaction as a request makes it; of another tenant where one is given. */
  app<T>(body: (tx: Tx) => Promise<T>, tenantId?: string): Promise<T>;
  engine<T>(body: (tx: Tx) => Promise<T>): Promise<T>;
  /** Raw SQL, behind everybody's back. */
  sql<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Opens a ticket; its id. */
  open(wanted?: Partial<NewTicket>): Promise<string>;
  /** A session that is approved with this card. */
  approved(card: SpecCardInput): Promise<string>;
  /** Does all waiting jobs, and those that follow from them. Throws when one fails. */
  drain(): Promise<void>;
  /** As a worker whose sandboxes are namespaces: it need not say so. */
  claim(wish?: Partial<ClaimWish>): Promise<ClaimedRun | undefined>;
  /** Opens a ticket, queues its run and claims it. */
  claimNew(wanted?: Partial<NewTicket>): Promise<ClaimedRun>;
  /** Lets the lease of a run have run out a second ago. */
  expire(runId: string): Promise<void>;
  statusOf(ticketId: string): Promise<string>;
  ownerless(): Promise<Ownerless[]>;
  /** For a test that does a part of a verb by itself: its rows are then not what its events say. */
  doesParts(): void;
  /**
   * Throws where a row is left that nothing will ever move, unless a test has made by hand what the product would not leave; or one
   * that is not what its events say, unless a test has written rows of that kind itself, or does parts.
   */
  close(how?: { isByHand?: boolean }): Promise<void>;
}

export { testSettings };

/** On a database of their own. */
export async function stagesForTests(settings: RunSettings = testSettings): Promise<Stages> {
  const place = await testDatabase();
  return stagesOn(place, { settings, leave: () => place.close() });
}

/** `leave`: what becomes of the database when the test is over. */
async function stagesOn(
  place: TestDatabase,
  { settings, leave }: { settings: RunSettings; leave: () => Promise<void> },
): Promise<Stages> {
  const { database } = place;
  const tenantId = await place.makeTenant('stages');
  const scope = { tenantId, actor: 'test' };
  const folder = tempFolder();
  const parts = { database, settings, ...(await testStores(folder)) };
  const connections = new pg.Pool({ connectionString: place.superuserUrl, options: sessionOptions, max: connectionsMax });
  connections.on('error', () => {});
  const raw = async <Row extends object>(text: string, values: readonly unknown[] = []) =>
    (await connections.query<Row>(text, [...values])).rows;
  // What a test has written behind everybody's back no event tells of.
  let isWritten = false;
  const sql: Stages['sql'] = (text, values) => {
    isWritten ||= writesPastEvents.test(text);
    return raw(text, values);
  };
  const app: Stages['app'] = (body, tenant = tenantId) => database.request({ ...scope, tenantId: tenant }, body);
  const { id: projectId } = await app(tx => createProject(tx, { name: 'p', agent: { kind: 'exec', command: ['true'] } }));
  const open: Stages['open'] = async wanted => (await app(tx => openTicket(tx, { ...newTicket(projectId), ...wanted }))).id;
  const claim: Stages['claim'] = ({ capabilities = ['agent:exec'], ...wish } = {}) =>
    claimNext(database, { ...scope, worker: 'w', ...wish, capabilities: [...capabilities, ...isolation] }, settings);
  const drain = () => doJobs(raw, tasks(parts));
  return {
    ...place,
    tenantId,
    projectId,
    settings,
    folder,
    parts,
    app,
    engine: body => database.engine(scope, body),
    sql,
    open,
    approved: card => app(tx => approvedSession(tx, projectId, card)),
    drain,
    claim,
    async claimNew(wanted) {
      const ticketId = await open(wanted);
      await drain();
      const claimed = await claim({ ticketId });
      if (claimed === undefined) throw new Error(`${ticketId} could not be claimed`);
      return claimed;
    },
    async expire(runId) {
      await raw(`update runs set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [runId]);
    },
    async statusOf(ticketId) {
      const [row] = await sql<{ status: string }>('select status from tickets where tenant_id = $1 and id = $2', [
        tenantId,
        ticketId,
      ]);
      return row?.status ?? 'none';
    },
    ownerless: () => ownerless(place.superuserUrl),
    doesParts: () => void (isWritten = true),
    async close({ isByHand = false } = {}) {
      try {
        if (!isByHand) await refuseOwnerless(place.superuserUrl);
        if (!isByHand && !isWritten) await refuseDrift(place.superuserUrl);
      } finally {
        await connections.end();
        await leave();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** What every worker offers whose sandboxes are any. */
const isolation = ['isolation:namespaces'];

const writesPastEvents =
  /\b(update|insert into|delete from)\s+(skep[.])?(sessions|specs|tickets|runs|trunks|reviews|changes|result_submissions|questions|events)\b/;

/** One that waits for a lock must not keep the test from looking at that. */
const connectionsMax = 4;

/** The same for each test of a file, on one database that is as new for each. */
export function useStages(take: (stages: Stages) => void): void {
  let place: TestDatabase;
  let stages: Stages;
  beforeAll(async () => {
    place = await testDatabase({ isHasty: true });
  });
  beforeEach(async () => {
    stages = await stagesOn(place, { settings: testSettings, leave: () => place.empty() });
    take(stages);
  });
  afterEach(() => stages.close());
  afterAll(() => place.close());
}

export function newTicket(projectId: string): NewTicket {
  return {
    projectId,
    type: 'task',
    title: 't',
    description: '',
    acceptanceCriteria: [],
    dependsOn: [],
    priority: 0,
    estimate: null,
    files: [],
  };
}

async function approvedSession(tx: Tx, projectId: string, card: SpecCardInput): Promise<string> {
  const { id } = await openSession(tx, { description: 'd', projectId });
  await handInCard(tx, id, specCard.parse(card));
  await approveSession(tx, id);
  return id;
}
