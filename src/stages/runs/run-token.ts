import { runStates } from '../../../contract/runs.ts';
import type { Database, Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { hashSecret } from '../../kernel/secret.ts';
import { announceRun } from './holder.ts';
import { haltRunRow, holdRun, runById, type StoredHalt } from './runs.sql.ts';
import { type RunContextRow, runOfRunToken, runsStillHeld } from './run-token.sql.ts';

/** What a live run token stands for: the run whose sandbox shows it, and on whose behalf it runs. */
export type RunContext = Readonly<RunContextRow>;

/** Throws Fault `unauthenticated` for a token that is unknown, or of a run whose lease is over, without saying which. */
export async function runOfToken(database: Database, secret: string): Promise<RunContext> {
  const [context] = await database.enginePool.query(runOfRunToken, [hashSecret(secret)]);
  if (context === undefined) {
    throw new Fault('unauthenticated', {
      message: 'The run token is not valid',
      hint: 'It is worth something only while its run lives: this run is over, or was taken from its worker',
    });
  }
  return context;
}

/** Of these runs, those whose lease still lives. */
export async function liveRunsOf(database: Database, runIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (runIds.length === 0) return new Set();
  const rows = await database.enginePool.query(runsStillHeld, [runIds]);
  return new Set(rows.map(row => row.id));
}

/** Notes why a run cannot go on; it is looked at when the run ends. The first reason stands. Says nothing of a run that is over. */
export async function haltRun(tx: Tx, runId: string, halt: StoredHalt): Promise<void> {
  const halted = await tx.query(haltRunRow, [tx.tenantId, runId, JSON.stringify(halt)]);
  if (halted.length === 0) return;
  const [run] = await tx.query(runById, [tx.tenantId, runId]);
  if (run !== undefined)
    announceRun(tx, run, { type: 'run.halted', halt: halt.kind, message: halt.message, questionId: halt.questionId ?? null });
}

/** What stands in a run's way; nobody halts it, and it does not end, until the transaction does. */
export async function holdHalt(tx: Tx, runId: string): Promise<StoredHalt | null> {
  const [run] = await tx.query(holdRun, [tx.tenantId, runId, runStates]);
  if (run === undefined) throw new Fault('run_not_found');
  return run.halt;
}
