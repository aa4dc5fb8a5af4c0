import type { Proof, ResultEvidence } from '../../../../contract/results.ts';
import type { Tx } from '../../../db/database.ts';
import { Fault } from '../../../kernel/fault.ts';
import { move } from '../../../kernel/machine.ts';
import { resultMachine } from '../model/result.ts';
import type { SpecRow } from '../specs.sql.ts';
import { getSpec, holdSpec } from '../verbs.ts';
import { announceResult, closeResults } from './close.ts';
import {
  decideResultRow,
  explainResult,
  insertResult,
  newestOfSpec,
  resultById,
  type ResultRow,
  resultsOfSpec,
} from './results.sql.ts';

/** Versions shown in one list, newest first. */
const listMax = 100;

export interface NewResult {
  readonly specId: string;
  readonly summary: string;
  readonly evidence: ResultEvidence;
  readonly proof: Proof;
  /** Acceptance criteria and technical requirements as they are now. */
  readonly criteria: readonly string[];
  /** `skep`, or the actor who says so. */
  readonly submittedBy: string;
}

/**
 * Hands in that a spec is done, as its next version. The same said twice by the same one is one version; a version that was not
 * decided yet gives way to the new one. Throws Fault `spec_not_found`, `wrong_state` where the spec is not being executed.
 */
export async function submitResult(tx: Tx, wanted: NewResult): Promise<ResultRow> {
  refuseUnlessExecuting(await holdSpec(tx, wanted.specId));
  const newest = await newestResult(tx, wanted.specId, wanted.evidence);
  if (newest?.state !== 'rejected' && isSaidAgain(newest, wanted)) return newest;
  await closeResults(tx, wanted.specId, `version ${(newest?.version ?? 0) + 1} was handed in instead`);
  const [result] = await tx.query(insertResult, [
    tx.tenantId,
    wanted.specId,
    wanted.proof,
    wanted.summary,
    JSON.stringify(wanted.evidence),
    JSON.stringify(wanted.criteria),
    wanted.submittedBy,
  ]);
  if (result === undefined) throw new Error('the result was not stored');
  announceResult(tx, result);
  return result;
}

/**
 * Validates or rejects a submitted result. The same decision again answers the same; `reason` is what the first one said. Throws
 * Fault `result_not_found`; `wrong_state` where it was decided otherwise, or where there is nothing left to be validated.
 */
export async function decideResult(tx: Tx, id: string, decision: { valid: boolean; reason: string }): Promise<ResultRow> {
  const { specId } = await getResult(tx, id);
  const spec = await holdSpec(tx, specId);
  const before = await getResult(tx, id);
  const { to, from } = move(resultMachine, decision.valid ? 'validate' : 'reject');
  if (before.state === to) return before;
  if (before.state !== 'submitted') throw decidedOtherwise(before);
  refuseUnlessExecuting(spec);
  const [result] = await tx.query(decideResultRow, [tx.tenantId, id, to, decision.reason === '' ? null : decision.reason, from]);
  if (result === undefined) throw new Error('a result changed under its lock');
  announceResult(tx, result);
  return result;
}

/** Says on a submitted result why it is not decided yet: what it waits for. */
export async function explainWait(tx: Tx, id: string, reason: string): Promise<void> {
  await tx.query(explainResult, [tx.tenantId, id, reason]);
}

export async function getResult(tx: Tx, id: string): Promise<ResultRow> {
  const [result] = await tx.query(resultById, [tx.tenantId, id]);
  if (result === undefined) throw new Fault('result_not_found');
  return result;
}

/** All versions of a spec's result, newest first. */
export async function listResults(tx: Tx, specId: string): Promise<ResultRow[]> {
  await getSpec(tx, specId);
  return tx.query(resultsOfSpec, [tx.tenantId, specId, listMax]);
}

/** The last version, and whether it says what `evidence` says. */
export async function newestResult(
  tx: Tx,
  specId: string,
  evidence: ResultEvidence,
): Promise<(ResultRow & { sameEvidence: boolean }) | undefined> {
  const [newest] = await tx.query(newestOfSpec, [tx.tenantId, specId, JSON.stringify(evidence)]);
  return newest;
}

function isSaidAgain<Row extends ResultRow & { sameEvidence: boolean }>(
  newest: Row | undefined,
  wanted: NewResult,
): newest is Row {
  return newest?.sameEvidence === true && newest.submittedBy === wanted.submittedBy && newest.summary === wanted.summary;
}

function refuseUnlessExecuting({ status }: SpecRow): void {
  if (status === 'executing_tasks') return;
  throw new Fault('wrong_state', {
    message: `A spec that is ${status} takes no result; one that is built does`,
    facts: { currentStatus: status },
  });
}

function decidedOtherwise({ version, state, reason }: ResultRow): Fault {
  return new Fault('wrong_state', {
    message: `Version ${version} is ${state} already${reason === null ? '' : `: ${reason}`}`,
    facts: { currentState: state },
  });
}
