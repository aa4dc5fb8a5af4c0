/** Skep's own copy of each project's repository. */
export { createDepot } from './depot.ts';
export { tidyDepot } from './leftovers.ts';
export type * from './types.ts';
