import type { SpecPlan } from '../../../contract/talk/planning.ts';
import type { SpecCard } from '../../../contract/spec-card.ts';
import type { Tx } from '../../db/database.ts';
import { Fault, type FaultCode } from '../../kernel/fault.ts';
import { move } from '../../kernel/machine.ts';
import { editProject } from '../../support/projects/index.ts';
import { getSession, presentSpec, type SessionRow } from '../sessions/index.ts';
import { type CardFinding, judgeCard } from './model/card.ts';
import { specMachine } from './model/spec.ts';
import { closeResults } from './results/close.ts';
import {
  moveSpecRow,
  putSpec,
  setOnResultFound,
  specById,
  specForUpdate,
  specOfSession,
  type SpecRow,
  specsOfSessions,
} from './specs.sql.ts';

/** How many findings an answer lists; the rest is counted. */
const findingsMax = 20;

/** Takes a card as the spec of a session, with no model involved, and puts it before a person. */
export function handInCard(tx: Tx, sessionId: string, card: SpecCard): Promise<{ session: SessionRow; spec: SpecRow }> {
  return presentCard(tx, sessionId, { card, plan: null });
}

/** The same for a card that was made of a plan, which is kept with it. */
export async function presentCard(
  tx: Tx,
  sessionId: string,
  { card, plan }: { card: SpecCard; plan: SpecPlan | null },
): Promise<{ session: SessionRow; spec: SpecRow }> {
  refuseBadCard(card);
  const session = await presentSpec(tx, sessionId);
  const what = [card.name, JSON.stringify(card), plan === null ? null : JSON.stringify(plan)];
  const [spec] = await tx.query(putSpec, [tx.tenantId, sessionId, session.projectId, ...what]);
  if (spec === undefined) throw new Error('the spec was not stored');
  if (card.repository !== undefined) await editProject(tx, session.projectId, { repository: card.repository });
  tx.announce({
    type: 'spec.generated',
    subject: { type: 'spec', id: spec.id },
    payload: { sessionId, version: spec.version, name: spec.name, featureCount: card.features.length },
  });
  return { session, spec };
}

/** The card of a spec. Throws Fault `wrong_state` while it is still planned. */
export function cardOf({ card, status }: Pick<SpecRow, 'card' | 'status'>): SpecCard {
  if (card === null)
    throw new Fault('wrong_state', { message: `A spec that is ${status} has no card yet`, facts: { currentStatus: status } });
  return card;
}

export async function beginExecution(tx: Tx, spec: SpecRow): Promise<void> {
  const { to, from } = move(specMachine, 'execute');
  const [moved] = await tx.query(moveSpecRow, [tx.tenantId, spec.id, to, 'EXECUTE', from]);
  if (moved === undefined) throw new Fault('wrong_state', { message: `A spec that is ${spec.status} cannot be executed` });
  tx.announce({ type: 'spec.executing', subject: { type: 'spec', id: spec.id }, payload: { sessionId: spec.sessionId } });
}

/** Its work is done and proven: a result was validated. */
export async function completeSpec(tx: Tx, spec: SpecRow): Promise<void> {
  const { to, from } = move(specMachine, 'complete');
  const [moved] = await tx.query(moveSpecRow, [tx.tenantId, spec.id, to, 'COMPLETE', from]);
  if (moved === undefined) throw new Fault('wrong_state', { message: `A spec that is ${spec.status} cannot be completed` });
  tx.announce({ type: 'spec.completed', subject: { type: 'spec', id: spec.id }, payload: { sessionId: spec.sessionId } });
}

/** Changes what becomes of a spec's open tickets when its result is validated. Throws Fault `wrong_state` where it is over. */
export async function editSpec(tx: Tx, id: string, fields: Pick<SpecRow, 'onResultFound'>): Promise<SpecRow> {
  const [spec] = await tx.query(setOnResultFound, [tx.tenantId, id, fields.onResultFound]);
  if (spec !== undefined) return spec;
  const { status } = await getSpec(tx, id);
  throw new Fault('wrong_state', { message: `A spec that is ${status} is over`, facts: { currentStatus: status } });
}

/** Ends the spec of a session that was cancelled; no spec, or one that has ended, is left as it is. */
export async function cancelSpecOf(tx: Tx, sessionId: string): Promise<void> {
  const spec = await findSpecOfSession(tx, sessionId);
  if (spec === undefined) return;
  const { to, from } = move(specMachine, 'cancel');
  const [moved] = await tx.query(moveSpecRow, [tx.tenantId, spec.id, to, null, from]);
  if (moved === undefined) return;
  await closeResults(tx, spec.id, 'the session was cancelled');
  tx.announce({ type: 'spec.cancelled', subject: { type: 'spec', id: spec.id }, payload: { sessionId } });
}

export async function getSpec(tx: Tx, id: string): Promise<SpecRow> {
  const [spec] = await tx.query(specById, [tx.tenantId, id]);
  if (spec === undefined) throw new Fault('spec_not_found');
  return spec;
}

/** The spec, locked until the transaction ends. */
export async function holdSpec(tx: Tx, id: string): Promise<SpecRow> {
  const [spec] = await tx.query(specForUpdate, [tx.tenantId, id]);
  if (spec === undefined) throw new Fault('spec_not_found');
  return spec;
}

export async function findSpecOfSession(tx: Tx, sessionId: string): Promise<SpecRow | undefined> {
  const [spec] = await tx.query(specOfSession, [tx.tenantId, sessionId]);
  return spec;
}

export async function getSpecOfSession(tx: Tx, sessionId: string): Promise<SpecRow> {
  await getSession(tx, sessionId);
  const spec = await findSpecOfSession(tx, sessionId);
  if (spec === undefined)
    throw new Fault('spec_not_found', {
      message: 'This session has no spec yet',
      hint: 'Hand in a card with: skep session card',
    });
  return spec;
}

/** The spec of each session that has one. */
export async function specsOf(tx: Tx, sessionIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await tx.query(specsOfSessions, [tx.tenantId, sessionIds]);
  return new Map(rows.map(row => [row.sessionId, row.id]));
}

function refuseBadCard(card: SpecCard): void {
  const findings = judgeCard(card);
  const first = findings[0];
  if (first === undefined) return;
  const codes: Record<CardFinding['kind'], FaultCode> = {
    duplicate: 'invalid_spec_card',
    unknown: 'unknown_dependency',
    cycle: 'dependency_cycle',
  };
  throw new Fault(codes[first.kind], {
    message: `${first.path}: ${first.message}`,
    facts: {
      issues: findings.slice(0, findingsMax).map(({ path, message }) => ({ path, message })),
      issue_count: findings.length,
    },
  });
}
