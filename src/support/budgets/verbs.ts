import { type BudgetScope, eachOne } from '../../../contract/models/budgets.ts';
import type { EventType } from '../../../contract/events.ts';
import type { Tx } from '../../db/database.ts';
import { Fault, type FaultCode } from '../../kernel/fault.ts';
import {
  budgetById,
  budgetOfScope,
  type BudgetRow,
  budgetsFiltered,
  capBudget,
  countEarlier,
  deleteBudget,
  followTemplate,
  holdBudgets,
  insertBudget,
  levelBudget,
  lowerLevels,
  makeFromTemplates,
  scopeExists,
  spendBudget,
} from './budgets.sql.ts';
import type { Spender } from './types.ts';

interface Caps {
  readonly capMicroUsd: number | null;
  readonly capTokens: number | null;
}

interface ScopeOf {
  readonly scope: BudgetScope;
  /** '' of the tenant; '*' for each one. */
  readonly scopeId: string;
}

/**
 * Sets the budget of a scope; a cap that is null is none. A new one has spent what the scope has spent until now, and holds the calls
 * that are on their way. Throws Fault `…_not_found` where there is no such project, spec, ticket or run.
 */
export async function setBudget(tx: Tx, { scope, scopeId, capMicroUsd, capTokens }: ScopeOf & Caps): Promise<BudgetRow> {
  await refuseUnknown(tx, scope, scopeId);
  await tx.query(holdBudgets);
  const [known] = await tx.query(budgetOfScope, [tx.tenantId, scope, scopeId]);
  if (known !== undefined) return recap(tx, known, { capMicroUsd, capTokens });
  const id = await insert(tx, [scope, scopeId, capMicroUsd, capTokens]);
  const budget =
    scopeId === eachOne
      ? one(await tx.query(budgetById, [tx.tenantId, id]))
      : one(await tx.query(countEarlier, [tx.tenantId, id, scope, scopeId]));
  announce(tx, 'budget.changed', budget);
  announceRise(tx, 'ok', budget);
  return budget;
}

/**
 * Gives a budget more; a cap that is absent stays. One that was made for each one has its own from here on. Throws Fault
 * `budget_not_found`, `invalid_request` for less than it has or a cap that it has none of.
 */
export async function raiseBudget(
  tx: Tx,
  id: string,
  caps: { readonly capMicroUsd?: number | undefined; readonly capTokens?: number | undefined },
): Promise<BudgetRow> {
  const [known] = await tx.query(budgetById, [tx.tenantId, id]);
  if (known === undefined) throw new Fault('budget_not_found');
  refuseLess('cap_usd', known.capMicrousd, caps.capMicroUsd);
  refuseLess('cap_tokens', known.capTokens, caps.capTokens);
  return recap(tx, known, {
    capMicroUsd: caps.capMicroUsd ?? known.capMicrousd,
    capTokens: caps.capTokens ?? known.capTokens,
  });
}

/** What was made from it for each one goes with it. Throws Fault `budget_not_found`, `wrong_state` for one that would come back. */
export async function removeBudget(tx: Tx, id: string): Promise<BudgetRow> {
  await tx.query(holdBudgets);
  const [known] = await tx.query(budgetById, [tx.tenantId, id]);
  if (known === undefined) throw new Fault('budget_not_found');
  if (known.templateId !== null) {
    throw new Fault('wrong_state', {
      message: `This budget was made from that of each ${known.scope}, and would be made again`,
      hint: `Remove the one of each ${known.scope}, or give this ${known.scope} a cap of its own`,
    });
  }
  const budget = one(await tx.query(deleteBudget, [tx.tenantId, id]));
  announce(tx, 'budget.removed', budget);
  return budget;
}

/** Locked until the end of the transaction. */
export async function getBudget(tx: Tx, id: string): Promise<BudgetRow | undefined> {
  const [budget] = await tx.query(budgetById, [tx.tenantId, id]);
  return budget;
}

interface BudgetFilter {
  readonly scope?: BudgetScope | undefined;
  readonly scopeId?: string | undefined;
  readonly limit: number;
}

export function listBudgets(tx: Tx, { scope, scopeId, limit }: BudgetFilter): Promise<BudgetRow[]> {
  return tx.query(budgetsFiltered, [tx.tenantId, limit, scope ?? null, scopeId ?? null]);
}

/** Makes what a run has none of yet from the budgets that are for each one. Said twice, or by two at once, it makes one. */
export async function makeBudgetsOf(tx: Tx, run: Spender): Promise<void> {
  await tx.query(holdBudgets);
  const ids = [run.runId, run.projectId, run.specId, run.ticketId, run.agent];
  for (const { id, scope, scopeId } of await tx.query(makeFromTemplates, [tx.tenantId, ...ids])) {
    announceRise(tx, 'ok', one(await tx.query(countEarlier, [tx.tenantId, id, scope, scopeId])));
  }
}

/** A call was refused for lack of what this budget has: told once. */
export async function refuseMore(tx: Tx, budget: BudgetRow): Promise<void> {
  const [spent] = await tx.query(spendBudget, [tx.tenantId, budget.id]);
  if (spent !== undefined) announce(tx, 'budget.spent', { ...budget, level: 'spent' });
}

async function recap(tx: Tx, known: BudgetRow, { capMicroUsd, capTokens }: Caps): Promise<BudgetRow> {
  await tx.query(capBudget, [tx.tenantId, known.id, capMicroUsd, capTokens]);
  if (known.scopeId === eachOne) {
    await tx.query(followTemplate, [tx.tenantId, known.id]);
    await tx.query(lowerLevels, [tx.tenantId, known.id]);
  }
  const budget = one(await tx.query(levelBudget, [tx.tenantId, known.id]));
  announce(tx, 'budget.changed', budget);
  announceRise(tx, known.level, budget);
  return budget;
}

async function insert(tx: Tx, values: readonly (string | number | null)[]): Promise<string> {
  return one(await tx.query(insertBudget, [tx.tenantId, ...values])).id;
}

const notFound: Readonly<Partial<Record<BudgetScope, FaultCode>>> = {
  project: 'project_not_found',
  spec: 'spec_not_found',
  ticket: 'ticket_not_found',
  run: 'run_not_found',
};

async function refuseUnknown(tx: Tx, scope: BudgetScope, scopeId: string): Promise<void> {
  const code = notFound[scope];
  if (code === undefined || scopeId === eachOne) return;
  const [row] = await tx.query(scopeExists, [tx.tenantId, scope, scopeId]);
  if (row?.known !== true) throw new Fault(code);
}

function refuseLess(field: string, known: number | null, wanted: number | undefined): void {
  if (wanted === undefined || (known !== null && wanted >= known)) return;
  throw new Fault('invalid_request', {
    message: known === null ? `${field}: this budget has no such cap to be raised` : `${field}: that is less than it has`,
    hint: 'Set the budget anew: skep budget set',
  });
}

const levels = ['ok', 'warned', 'alerted', 'spent'] as const;

/** Only a level above the former one is news. */
function announceRise(tx: Tx, before: BudgetRow['level'], budget: BudgetRow): void {
  const { level } = budget;
  if (level !== 'ok' && levels.indexOf(level) > levels.indexOf(before)) announce(tx, `budget.${level}`, budget);
}

/** As settle_calls says it too. */
function announce(tx: Tx, type: EventType, budget: BudgetRow): void {
  const { id, scope, scopeId, level, capMicrousd, capTokens, spentMicrousd, spentTokens } = budget;
  tx.announce({
    type,
    subject: { type: 'budget', id },
    payload: {
      ...{ scope, scopeId, level, capMicroUsd: capMicrousd, spentMicroUsd: spentMicrousd, capTokens, spentTokens },
    },
  });
}

function one<Row>([row]: readonly Row[]): Row {
  if (row === undefined) throw new Error('a budget that was held is gone');
  return row;
}
