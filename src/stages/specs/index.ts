/** Specs: what is to be built, as a person approves it. */
export type { SpecRow } from './specs.sql.ts';
export type { ResultRow } from './results/results.sql.ts';
export { decideResult, explainWait, getResult, listResults, newestResult, submitResult } from './results/verbs.ts';
export {
  beginExecution,
  cancelSpecOf,
  completeSpec,
  editSpec,
  getSpec,
  getSpecOfSession,
  handInCard,
  holdSpec,
  specsOf,
} from './verbs.ts';
