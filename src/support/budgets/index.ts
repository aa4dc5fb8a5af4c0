/** Budgets: what calls of models may cost, what they have cost, and the ledger of the gateway that keeps both. */
export type { BudgetRow } from './budgets.sql.ts';
export { callsUnsettled, settleEvents } from './calls.sql.ts';
export { type LastCall, lastCallOfRun } from './last-call.sql.ts';
export { createLedger, loseUnsettledCall } from './ledger.ts';
export type { Ledger, Spender, Spent } from './types.ts';
export { getBudget, listBudgets, raiseBudget, removeBudget, setBudget } from './verbs.ts';
