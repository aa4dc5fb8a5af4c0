/** Runs: one attempt by one agent in one sandbox under one lease. Whatever an agent does is a run. */
export type { BlobStore, ReceivedBlob } from './blobs.ts';
export { holdRunLease } from './holder.ts';
export { haltRun, holdHalt, liveRunsOf, type RunContext, runOfToken } from './run-token.ts';
export { askedSince, askingHalt, subjectOf } from './parking/asked.ts';
export { askAboutBudget } from './parking/budget.ts';
export { goOn, type Resumable, resumedWorkOf, runsHeldUpBy, runToResume } from './parking/resume.ts';
export { haltsDecided, questionsInVain } from './parking/parking.sql.ts';
export {
  ensurePlanBase,
  giveUpPhase,
  judgePhase,
  outputsWithoutVerdict,
  planningsLeftAlone,
  planSession,
} from './planning/index.ts';
export { answersOn, feedbackOn, taskOf } from './protocol/task.ts';
export { type ClaimDesk, createClaimDesk } from './queue/desk.ts';
export {
  finishingChain,
  onSubject,
  queueRun,
  queueRunsOfTrunk,
  queueSubject,
  reorderRuns,
  withdrawRuns,
} from './queue/queue.ts';
export { lookAgain, placeOf, refitAllRuns, refitRuns } from './queue/route.ts';
export { runsFallenBack } from './queue/place.sql.ts';
export { createAgeing } from './queue/ageing.ts';
export { createNets, createSweep, type Net } from './queue/sweep.ts';
export type { TakenIn } from './recovery/carry.ts';

export { createStormWatch } from './recovery/storm.ts';
export { beginEvents } from './protocol/advance.sql.ts';
export { submitEvents } from './protocol/submit.sql.ts';
export { claimEvents } from './queue/claim.sql.ts';
export type { RunRow, StoredHalt } from './runs.sql.ts';
export { keepReport } from './report.ts';
export { runsAmong } from './remains/remains.ts';
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
