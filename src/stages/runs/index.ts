/** Runs: one attempt by one agent in one sandbox under one lease. Whatever an agent does is a run. */
export type { BlobStore, ReceivedBlob } from './blobs.ts';
export { holdRunLease } from './holder.ts';
export { taskOf } from './protocol/task.ts';
export { type ClaimDesk, createClaimDesk } from './queue/desk.ts';
export { finishingChain, onSubject, queueRun, queueRunsOfTrunk, queueSubject, reorderRuns, withdrawRuns } from './queue/queue.ts';
export { createNets, createSweep, type Net } from './queue/sweep.ts';
export { claimEvents, type RunRow } from './runs.sql.ts';
export type { RunSettings } from './settings.ts';
export { keepMergeBundle } from './uploads.ts';
export {
  acceptRun,
  countResolutions,
  countReturns,
  failWork,
  getRun,
  holdSubmitted,
  returnRun,
  submittedRunOf,
} from './verbs.ts';
