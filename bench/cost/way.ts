import { Logger, runOnce } from 'graphile-worker';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, FlowJob } from '../../src/db/database.ts';
import { type FlowParts, tasks } from '../../src/flow.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { advance } from '../../src/stages/runs/protocol/advance.ts';
import { createSubmit } from '../../src/stages/runs/protocol/submit.ts';
import { type ClaimedRun, createClaims } from '../../src/stages/runs/queue/claim.ts';
import { openTicket } from '../../src/stages/tickets/index.ts';
import { testStores } from '../../test/harness/stores.ts';
import type { Stage } from '../harness/bench.ts';
import { type Place, temporaryHome } from '../harness/place.ts';
import { benchSettings } from '../harness/settings.ts';
import { countTickets, failedJobs, preferTickets, ticketsCompleted } from './cost.sql.ts';

/** The way of a ticket through the server, without what workers and git do: each step takes all tickets that far. */
export interface Way {
  readonly database: Database;
  /** Those that are walked, ready. */
  open(count: number): Promise<void>;
  readonly steps: readonly { readonly name: string; readonly walk: () => Promise<void> }[];
}

export async function openWay(stage: Stage, place: Place, database: Database): Promise<Way> {
  const { tenantId, projectId, superuser } = place;
  const scope = { tenantId, actor: 'bench' };
  const folder = join(temporaryHome(stage), 'stores');
  mkdirSync(folder);
  const parts: FlowParts = { database, settings: benchSettings, ...(await testStores(folder)) };
  await superuser.query(countTickets, [tenantId]);
  const claim = createClaims(database, benchSettings);
  const submit = createSubmit(database, systemClock);
  let ids: string[] = [];
  let held: ClaimedRun[] = [];
  const each = async (verb: (claimed: ClaimedRun) => Promise<unknown>) => {
    for (const claimed of held) await verb(claimed);
  };
  const holder = ({ run, token }: ClaimedRun) => ({ runId: run.id, token });
  const begin = (claimed: ClaimedRun, state: 'starting' | 'working') =>
    advance(database, { ...scope, holder: holder(claimed) }, { state, sandbox: 'box', leaseMs: benchSettings.leaseMs });

  const way: Way = {
    database,
    async open(count) {
      const wanted = {
        projectId,
        type: 'task',
        title: 't',
        description: '',
        acceptanceCriteria: [],
        dependsOn: [],
        files: [],
      } as const;
      ids = [];
      for (let i = 0; i < count; i++) {
        const ticket = { ...wanted, title: `Ticket ${i}`, priority: 0, estimate: null };
        ids.push((await place.database.request(scope, tx => openTicket(tx, ticket))).id);
      }
      await superuser.query(preferTickets, [tenantId, ids]);
    },
    steps: [
      { name: 'queued', walk: () => doJobs(parts) },
      {
        name: 'claimed',
        async walk() {
          held = [];
          for (const id of ids) {
            const claimed = await claim({ ...scope, worker: 'bench', capabilities: ['agent:exec', 'isolation:namespaces'] });
            if (claimed === undefined || !ids.includes(claimed.run.subjectId))
              throw new Error(`${id} was not claimed before all others`);
            held.push(claimed);
          }
        },
      },
      { name: 'begun', walk: () => each(claimed => begin(claimed, 'starting')) },
      { name: 'at work', walk: () => each(claimed => begin(claimed, 'working')) },
      {
        name: 'handed in',
        walk: () => each(claimed => submit({ ...scope, holder: holder(claimed) }, { summary: 'done' })),
      },
      {
        name: 'judged and completed',
        async walk() {
          await doJobs(parts);
          const [completed] = await superuser.query(ticketsCompleted, [tenantId, ids]);
          if (completed?.count !== ids.length) throw new Error(`${completed?.count} of ${ids.length} tickets were completed`);
        },
      },
    ],
  };
  // The first of a project prepares the trunk, which is not what a ticket costs.
  await way.open(1);
  for (const { walk } of way.steps) await walk();
  return way;
}

/** All jobs that wait, and those that follow from them, one after another. */
async function doJobs(parts: FlowParts): Promise<void> {
  const taskList = Object.fromEntries(
    Object.entries(tasks(parts)).map(([name, task]) => [name, (payload: unknown) => task(payload as FlowJob)]),
  );
  const pgPool = parts.database.enginePool.raw;
  await runOnce({ pgPool, taskList, concurrency: 1, noHandleSignals: true, logger: new Logger(() => () => {}) });
  const [failed] = await parts.database.enginePool.query(failedJobs);
  if (failed !== undefined) throw new Error(`the job ${failed.task} failed: ${failed.error}`);
}
