/** Changes: the way of a ticket's reviewed work into the trunk, and of the trunk into the user's repository. */
export { conflictsWithoutRun, reviewsWithoutChange, specsWithoutResult, trunksToMerge, trunksToPublish } from './changes.sql.ts';
export { concludeEpic, concludeSpec, concludeTrunk } from './conclude/conclude.ts';
export { giveUpConflict, resolveAgain } from './conflict.ts';
export { mergeNext } from './merge.ts';
export { publishTrunk, publishTrunkOfTicket } from './publish.ts';
export { takeSubmission } from './repository/ensure.ts';
export { resumeRun, resumeRuns } from './repository/resume.ts';
export { closeChange, openChange, takeBackChange } from './verbs.ts';
