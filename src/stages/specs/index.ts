/** Specs: what is to be built, as a person approves it. */
export type { SpecRow } from './specs.sql.ts';
export { beginExecution, cancelSpecOf, getSpec, getSpecOfSession, handInCard, specsOf } from './verbs.ts';
