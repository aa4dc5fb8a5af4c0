/** Runs: one attempt by one agent in one sandbox under one lease. Whatever an agent does is a run. */
export { createClaimDesk, type ClaimDesk } from './queue/desk.ts';
export type { BlobStore } from './blobs.ts';
export { onSubject, queueRun, reorderRuns, withdrawRuns } from './queue/queue.ts';
export { claimEvents } from './runs.sql.ts';
export type { RunSettings } from './settings.ts';
export { createNets, createSweep } from './queue/sweep.ts';
export { acceptRun } from './verbs.ts';
