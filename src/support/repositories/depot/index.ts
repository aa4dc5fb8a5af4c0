/** Skep's own copy of each project's repository. */
export { createDepot } from './depot.ts';
export type * from './types.ts';
