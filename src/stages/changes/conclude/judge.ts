import type { WorkRow } from './conclude.sql.ts';
import { completedOf, type Findings, listOf } from './evidence.ts';

/**
 * The rules by which Skep validates a result by itself: the work of every completed ticket is merged and was reviewed as it is, the
 * trunk stands at the last merge, and the repository has it. Undefined where all hold; otherwise what the result waits for.
 */
export function whatIsMissing({ work, trunk, hasRepository }: Findings): string | undefined {
  const completed = completedOf(work);
  const unmerged = completed.filter(ticket => !isMerged(ticket, hasRepository));
  if (unmerged.length > 0) return waitsForPerson(`the work of ${listOf(unmerged)} is not merged`);
  const unreviewed = completed.filter(ticket => !isReviewed(ticket));
  if (unreviewed.length > 0) return waitsForPerson(`no review passed what was merged of ${listOf(unreviewed)}`);
  const last = lastMerge(work);
  const head = trunk?.headSha ?? null;
  if (head !== (last?.mergeSha ?? trunk?.baseSha ?? null))
    return waitsForPerson(
      `${trunk?.branch ?? 'the branch'} is not at the last merge${last === undefined ? '' : `, of ${last.id}`}`,
    );
  if (hasRepository && trunk?.publishedSha !== head)
    return `waits until ${trunk?.branch ?? 'the branch'} is pushed to the repository`;
  return undefined;
}

function waitsForPerson(finding: string): string {
  return `${finding}; a person decides`;
}

/** Where there is no repository an agent may well hand nothing in: its work is what it did elsewhere. */
function isMerged({ changeState, handedIn }: WorkRow, hasRepository: boolean): boolean {
  return changeState === 'merged' || (changeState === null && !hasRepository && !handedIn);
}

/** What is unproven says so in the result. */
function isReviewed({ proof, reviewState, reviewedSha, headSha }: WorkRow): boolean {
  return proof === 'unproven' || (reviewState === 'passed' && reviewedSha === headSha);
}

function lastMerge(work: readonly WorkRow[]): WorkRow | undefined {
  return work
    .filter(ticket => ticket.mergeNumber !== null)
    .sort((a, b) => (a.mergeNumber ?? 0) - (b.mergeNumber ?? 0))
    .at(-1);
}
