/** Budgets: what calls of models may cost, what they have cost, and the ledger of the gateway that keeps both. */
export type { BudgetRow } from './budgets.sql.ts';
export { callsUnsettled, settleEvents } from './calls.sql.ts';
export { costs } from './costs.ts';
export { lastCallOfRun } from './last-call.sql.ts';
export { createLedger, loseUnsettledCall } from './ledger.ts';
export { spentMessage } from './model/words.ts';
export type { AskAboutBudget, Ledger, Reserved, Settlement, Spender, Spent, Wanted } from './types.ts';
export { getBudget, listBudgets, raiseBudget, removeBudget, setBudget } from './verbs.ts';
