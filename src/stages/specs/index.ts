/** Specs: what is to be built, as a person approves it. */
export { specMachine, type SpecStatus } from './model/spec.ts';
export type { SpecRow } from './specs.sql.ts';
export { beginExecution, cancelSpecOf, getSpec, getSpecOfSession, handInCard, specsOf } from './verbs.ts';
