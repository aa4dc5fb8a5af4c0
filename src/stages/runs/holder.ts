import type { News } from '../../../contract/events.ts';
import type { Database, Scope, Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { hashSecret } from '../../kernel/secret.ts';
import { holdLease, type RunRow, runById } from './runs.sql.ts';

/** Names a holder of a run: what a worker says with every write. */
export interface Holder {
  readonly runId: string;
  readonly token: string;
}

/** Who wants to write, and behalf of which tenant. */
export interface HolderScope extends Scope {
  readonly holder: Holder;
}

/** The first parameters of every fenced statement. */
export function fence(tenantId: string, { runId, token }: Holder): [string, string, Buffer] {
  return [tenantId, runId, hashSecret(token)];
}

/** The run of a live lease. Throws Fault `lease_lost`, `run_not_found`. */
export async function holdRunLease(database: Database, { tenantId, holder }: HolderScope): Promise<RunRow> {
  const [run] = await database.enginePool.query(holdLease, fence(tenantId, holder));
  if (run === undefined) throw await lostLease(single(database, tenantId), holder);
  return run;
}

/** Why a fenced write changed nothing. */
export async function lostLease(tx: Pick<Tx, 'query' | 'tenantId'>, { runId }: Holder): Promise<Fault> {
  const [run] = await tx.query(runById, [tx.tenantId, runId]);
  if (run === undefined) return new Fault('run_not_found');
  return new Fault('lease_lost', {
    message: `The lease of this run is lost: the run is ${run.state}`,
    hint: 'Stop working on it; nothing of this request was kept',
    facts: { state: run.state },
  });
}

/** Tells the log what became of a run; `news` stands beside what every event of a run says. */
export function announceRun(tx: Tx, run: RunRow, { type, ...news }: News): void {
  tx.announce({
    type,
    subject: { type: 'run', id: run.id },
    payload: {
      subject: run.subjectId,
      subjectType: run.subjectType,
      ticketId: run.ticketId,
      attempt: run.attempt,
      state: run.state,
      ...news,
    },
  });
}

/** A tx-like view on single statements, for the reads around a one-statement write. */
export function single(database: Database, tenantId: string): Pick<Tx, 'query' | 'tenantId'> {
  return { tenantId, query: (statement, values) => database.enginePool.query(statement, values) };
}
