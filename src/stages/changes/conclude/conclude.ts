import type { Tx } from '../../../db/database.ts';
import { Fault } from '../../../kernel/fault.ts';
import { getProject } from '../../../support/projects/index.ts';
import { findTrunk, getTrunk } from '../../../support/repositories/index.ts';
import { completeSession, holdSession } from '../../sessions/index.ts';
import {
  completeSpec,
  decideResult,
  explainWait,
  getResult,
  getSpec,
  holdSpec,
  newestResult,
  type ResultRow,
  type SpecRow,
  submitResult,
} from '../../specs/index.ts';
import { getTicket, stopTicketsOf } from '../../tickets/index.ts';
import { workOfSpec } from './conclude.sql.ts';
import { completedOf, type Findings, gatherCriteria, gatherEvidence, isOver, proofOf, sameWork, summarise } from './evidence.ts';
import { whatIsMissing } from './judge.ts';

/** Whose word it is when Skep itself hands a result in. */
const skep = 'skep';

/**
 * Ends a spec whose tickets have all ended: hands in the result with its evidence, where nobody has for this work, validates it by
 * the rules, and completes spec and session. What a rule keeps from that is told on the result. Safe to run at any time, twice and
 * at once; must run in the app role.
 */
export async function concludeSpec(tx: Tx, specId: string): Promise<void> {
  const spec = await holdSpec(tx, specId);
  if (spec.status !== 'executing_tasks') return;
  const findings = await lookAt(tx, spec);
  if (!isOver(findings.work)) return;
  // Cancelled a moment ago: its spec follows.
  if ((await holdSession(tx, spec.sessionId)).state !== 'building') return;
  const result = await resultOf(tx, findings);
  if (result.state === 'submitted') {
    const missing = whatIsMissing(findings);
    if (missing !== undefined) return explainWait(tx, result.id, missing);
    await decideResult(tx, result.id, { valid: true, reason: '' });
  } else if (result.state === 'rejected') return;
  await completeSpec(tx, spec);
  await completeSession(tx, spec.sessionId);
}

/** The epic is completed: so may its spec be. */
export async function concludeEpic(tx: Tx, epicId: string): Promise<void> {
  const { specId } = await getTicket(tx, epicId);
  if (specId !== null) await concludeSpec(tx, specId);
}

/** The trunk is pushed, which a result may wait for. */
export async function concludeTrunk(tx: Tx, trunkId: string): Promise<void> {
  const { specId } = await getTrunk(tx, trunkId);
  if (specId !== null) await concludeSpec(tx, specId);
}

/** Somebody says that a spec is done; the evidence is Skep's, as it stands. Throws Fault `spec_not_found`, `wrong_state`. */
export async function claimResult(tx: Tx, specId: string, summary: string): Promise<ResultRow> {
  const findings = await lookAt(tx, await holdSpec(tx, specId));
  return handIn(tx, findings, { summary, submittedBy: tx.actor });
}

/**
 * A person's decision on a result. A valid one ends what is left of the spec where that is wanted, and then the spec. Throws Fault
 * `result_not_found`; `wrong_state` where it was decided otherwise, or where nothing of the spec is completed.
 */
export async function judgeResult(tx: Tx, id: string, decision: { valid: boolean; reason: string }): Promise<ResultRow> {
  const { specId, state } = await getResult(tx, id);
  // Tickets and epics are locked before specs.
  if (decision.valid && state === 'submitted') await stopRest(tx, await getSpec(tx, specId));
  const decided = await decideResult(tx, id, decision);
  if (decision.valid) await concludeSpec(tx, specId);
  return decided;
}

async function stopRest(tx: Tx, spec: SpecRow): Promise<void> {
  if (completedOf(await tx.query(workOfSpec, [tx.tenantId, spec.id])).length === 0) {
    throw new Fault('wrong_state', {
      message: 'No ticket of this spec is completed, so there is nothing to be validated',
      hint: 'Cancel the session if nothing more is to be built',
    });
  }
  if (spec.onResultFound === 'stop_all') await stopTicketsOf(tx, spec.sessionId);
}

/** The result that stands for the finished work. What a person rejected is not handed in again as long as it is the same. */
async function resultOf(tx: Tx, findings: Findings): Promise<ResultRow> {
  const evidence = gatherEvidence(findings);
  const newest = await newestResult(tx, findings.spec.id, evidence);
  if (newest !== undefined && (newest.state === 'rejected' ? newest.sameEvidence : sameWork(newest.evidence, evidence)))
    return newest;
  return handIn(tx, findings, { summary: summarise(findings), submittedBy: skep });
}

function handIn(tx: Tx, findings: Findings, said: { summary: string; submittedBy: string }): Promise<ResultRow> {
  return submitResult(tx, {
    ...said,
    specId: findings.spec.id,
    evidence: gatherEvidence(findings),
    proof: proofOf(findings.work),
    criteria: gatherCriteria(findings),
  });
}

/** With the spec locked, so that who comes second sees what the first did. */
async function lookAt(tx: Tx, spec: SpecRow): Promise<Findings> {
  const [work, trunk, project] = [
    await tx.query(workOfSpec, [tx.tenantId, spec.id]),
    await findTrunk(tx, { projectId: spec.projectId, specId: spec.id }),
    await getProject(tx, spec.projectId),
  ];
  return { spec, work, trunk, hasRepository: project.repository !== null };
}
