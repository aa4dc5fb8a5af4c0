/** Reviews: the project's own checks in a fresh sandbox, on what would land; a verdict with evidence, and feedback for the next attempt. */
export { mergeCandidate } from './candidate.ts';
export { dropReviews, giveUpReview, judgeReview } from './judge.ts';
export { lookAt } from './look.ts';
export { openMergeReview } from './open.ts';
export { flowScope, type ReviewParts, type ReviewSettings } from './parts.ts';
export { prepareTrunk } from './prepare.ts';
export { getReview, reviewsOfTrunk, reviewsOfWork } from './reads.ts';
export {
  evidenceWithoutVerdict,
  type ReviewRow,
  reviewsWithoutRun,
  submissionsWithoutReview,
  trunksInPreparation,
} from './reviews.sql.ts';
export { sendBack, sendResolutionBack } from './send-back.ts';
export { reviewSubmission, takeIn } from './submission.ts';
