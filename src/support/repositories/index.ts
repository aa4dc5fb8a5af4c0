/** Repositories: Skep's own copy of each project's, and the trunks in it that work is merged into. */
export type { BareRepository, Depot } from './depot/index.ts';
export { createDepot, tidyDepot } from './depot/index.ts';
export type { TrunkStart } from './trunks.ts';
export { advance, markPublished, markUnpublished, reserve } from './merges.ts';
export {
  baseTrunk,
  branchToBe,
  checkTrunk,
  findTrunk,
  getTrunk,
  holdTrunk,
  keepChecks,
  listTrunks,
  openTrunk,
  prepareAgain,
  readyTrunk,
  refuseTrunk,
} from './trunks.ts';
export type { TrunkRow } from './trunks.sql.ts';
export type { Look, Upstream } from './upstream.ts';
