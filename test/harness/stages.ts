import { rmSync } from 'node:fs';
import { Logger, runOnce } from 'graphile-worker';
import { afterEach, beforeEach } from 'vitest';
import type { SpecCardInput } from '../../contract/spec-card.ts';
import { specCard } from '../../contract/spec-card.ts';
import type { FlowJob, Tx } from '../../src/db/database.ts';
import { type FlowParts, tasks } from '../../src/flow.ts';
import { approveSession, openSession } from '../../src/stages/sessions/index.ts';
import { handInCard } from '../../src/stages/specs/index.ts';
import { openTicket } from '../../src/stages/tickets/index.ts';
import type { NewTicket } from '../../src/stages/tickets/verbs.ts';
import { type ClaimedRun, type ClaimWish, claimNext } from '../../src/stages/runs/queue/claim.ts';
import type { RunSettings } from '../../src/stages/runs/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createProject } from '../../src/support/projects/verbs.ts';
import { query, type TestDatabase, testDatabase } from './database.ts';
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
  claim(wish?: Partial<ClaimWish>): Promise<ClaimedRun | undefined>;
  /** Opens a ticket, queues its run and claims it. */
  claimNew(wanted?: Partial<NewTicket>): Promise<ClaimedRun>;
  /** Lets the lease of a run have run out a second ago. */
  expire(runId: string): Promise<void>;
  statusOf(ticketId: string): Promise<string>;
  ownerless(): Promise<Ownerless[]>;
  /** Throws where a row is left that nothing will ever move, unless a test has made by hand what the product would not leave. */
  close(how?: { isByHand?: boolean }): Promise<void>;
}

export { testSettings };

export async function stagesForTests(settings: RunSettings = testSettings): Promise<Stages> {
  const place = await testDatabase();
  const { database } = place;
  const tenantId = await place.makeTenant('stages');
  const scope = { tenantId, actor: 'test' };
  const folder = tempFolder();
  const parts = { database, settings, ...(await testStores(folder)) };
  const sql = <Row extends object>(text: string, values: readonly unknown[] = []) => query<Row>(place.superuserUrl, text, values);
  const app: Stages['app'] = (body, tenant = tenantId) => database.request({ ...scope, tenantId: tenant }, body);
  const { id: projectId } = await app(tx => createProject(tx, { name: 'p', agent: { kind: 'exec', command: ['true'] } }));
  const open: Stages['open'] = async wanted => (await app(tx => openTicket(tx, { ...newTicket(projectId), ...wanted }))).id;
  const claim: Stages['claim'] = wish =>
    claimNext(database, { ...scope, worker: 'w', capabilities: ['agent:exec'], ...wish }, settings);
  const drain = () => doJobs(place, parts);
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
      await sql(`update runs set lease_expires_at = clock_timestamp() - interval '1 second' where id = $1`, [runId]);
    },
    async statusOf(ticketId) {
      const [row] = await sql<{ status: string }>('select status from tickets where tenant_id = $1 and id = $2', [
        tenantId,
        ticketId,
      ]);
      return row?.status ?? 'none';
    },
    ownerless: () => ownerless(place.superuserUrl),
    async close({ isByHand = false } = {}) {
      try {
        if (!isByHand) await refuseOwnerless(place.superuserUrl);
      } finally {
        await place.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** The same for each test of a file. */
export function useStages(take: (stages: Stages) => void): void {
  let stages: Stages;
  beforeEach(async () => {
    stages = await stagesForTests();
    take(stages);
  });
  afterEach(() => stages.close());
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

async function doJobs({ superuserUrl }: TestDatabase, parts: FlowParts): Promise<void> {
  const taskList = Object.fromEntries(
    Object.entries(tasks(parts)).map(([name, task]) => [name, (payload: unknown) => task(payload as FlowJob)]),
  );
  await runOnce({ pgPool: parts.database.enginePool.raw, taskList, noHandleSignals: true, logger: new Logger(() => () => {}) });
  // The runner resolves before the word that a job is done has reached the database.
  while ((await query(superuserUrl, 'select from graphile_worker._private_jobs where locked_at is not null')).length > 0)
    await systemClock.sleep(2);
  const [failed] = await query<{ task: string; error: string }>(
    superuserUrl,
    `select t.identifier as task, j.last_error as error from graphile_worker._private_jobs j
       join graphile_worker._private_tasks t on t.id = j.task_id where j.last_error is not null`,
  );
  if (failed !== undefined) throw new Error(`the job ${failed.task} failed: ${failed.error}`);
}
