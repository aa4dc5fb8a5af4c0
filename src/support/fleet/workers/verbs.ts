import type { EventType } from '../../../../contract/events.ts';
import type { WorkerBeat } from '../../../../contract/fleet/workers.ts';
import type { Database, Scope, Tx } from '../../../db/database.ts';
import type { SqlValue } from '../../../db/pool.ts';
import { Fault } from '../../../kernel/fault.ts';
import { holdWorker, type Kill, putWorker, tellWorker, touchWorker, type WorkerRow, workersOfTenant } from './workers.sql.ts';

/** When the next beat of a worker is expected (reliability facts: 5 s, and three missed are too many). */
export const beatMs = 5_000;
/** Rows of a tenant: a worker that is named anew with each start leaves one a start, for a day. */
const workersMax = 10_000;
const listMax = 1_000;

/** What a worker hears of what people want. */
interface Heard {
  readonly isToldToDrain: boolean;
  /** Of its sandboxes, those that are to be killed. */
  readonly kills: readonly Kill[];
}

/**
 * A worker says that it lives and which sandboxes it has, and hears whether a person wants it to drain, and which are to be killed. Throws Fault `wrong_state` where another process has
 * taken its name since, `too_large` where the tenant has too many workers.
 */
export async function beatWorker(database: Database, scope: Scope, beat: NamedBeat): Promise<Heard> {
  const [known] = await database.enginePool.query(touchWorker, valuesOf(scope.tenantId, beat));
  return known ?? database.engine(scope, tx => changeWorker(tx, beat));
}

interface NamedBeat extends WorkerBeat {
  readonly name: string;
}

/** Throws Fault `worker_not_found`. What runs goes on; the worker hears of it with its next beat. */
export async function tellToDrain(tx: Tx, name: string, drains: boolean): Promise<void> {
  const [told] = await tx.query(tellWorker, [tx.tenantId, name, drains]);
  if (told === undefined) {
    throw new Fault('worker_not_found', {
      message: `There is no worker named "${name}"`,
      hint: "'skep worker list' shows the workers of the last day",
    });
  }
}

/** Those that are there first, then those that were, each by name; at most 1,000. */
export function listWorkers(tx: Tx): Promise<(WorkerRow & { busy: number })[]> {
  return tx.query(workersOfTenant, [tx.tenantId, listMax]);
}

export function announceWorker(tx: Tx, type: EventType, worker: WorkerRow): void {
  const { name, incarnation, host, state, slots, isToldToDrain } = worker;
  tx.announce({ type, subject: { type: 'worker', id: name }, payload: { incarnation, host, state, slots, isToldToDrain } });
}

async function changeWorker(tx: Tx, beat: NamedBeat): Promise<WorkerRow & Heard> {
  const [before] = await tx.query(holdWorker, [tx.tenantId, beat.name]);
  if (before !== undefined && isThere(before) && before.incarnation !== beat.incarnation && !beat.is_first)
    throw superseded(before);
  const [worker] = await tx.query(putWorker, [...valuesOf(tx.tenantId, beat), workersMax]);
  if (worker === undefined)
    throw new Fault('too_large', { message: `There are more than ${workersMax} workers of the last day` });
  const type = eventOf(before, worker);
  if (type !== undefined) announceWorker(tx, type, worker);
  return worker;
}

const isThere = ({ state }: WorkerRow) => state === 'active' || state === 'draining';

function superseded({ name, host }: WorkerRow): Fault {
  return new Fault('wrong_state', {
    message: `Another worker named "${name}", on ${host}, has taken the place of this one`,
    hint: 'Give each worker a name of its own: --name',
  });
}

/** What others are told; undefined where nothing has changed for them. */
function eventOf(before: WorkerRow | undefined, now: WorkerRow): EventType | undefined {
  const isSame = before?.incarnation === now.incarnation && before.state === now.state;
  if (isSame) return undefined;
  if (now.state === 'draining') return 'worker.draining';
  return now.state === 'left' ? 'worker.left' : 'worker.joined';
}

function valuesOf(tenantId: string, beat: NamedBeat): SqlValue[] {
  const { name, incarnation, host, version, slots, capabilities, sandbox, worth, state } = beat;
  // One that has left has none, whatever it says.
  const sandboxes = state === 'left' ? [] : beat.sandboxes;
  const told = [worth === undefined ? null : JSON.stringify(worth), JSON.stringify(sandboxes)];
  return [tenantId, name, incarnation, host, version, slots, capabilities, JSON.stringify(sandbox), state, ...told];
}
