/** Specs: what is to be built, as a person approves it. */
export type { SpecRow } from './specs.sql.ts';
export type { ResultRow } from './results/results.sql.ts';
export type { PlanningRow } from './planning/planning.sql.ts';
export { afterPhase, nextStep } from './model/dispatch.ts';
export {
  askPerson,
  basePlanning,
  beginPhase,
  countTry,
  endPlanning,
  generateSpec,
  holdPlanning,
  keepPlan,
  moveOn,
  openPlanning,
  planningsOf,
  presentPlan,
  rejectSpec,
  respondTo,
  stopPlanning,
} from './planning/verbs.ts';
export { decideResult, explainWait, getResult, listResults, newestResult, submitResult } from './results/verbs.ts';
export {
  beginExecution,
  cancelSpecOf,
  cardOf,
  completeSpec,
  editSpec,
  findSpecOfSession,
  getSpec,
  getSpecOfSession,
  handInCard,
  holdSpec,
  specsOf,
} from './verbs.ts';
