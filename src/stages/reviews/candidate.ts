import type { BareRepository } from '../../support/repositories/index.ts';

/** What would land: a head merged into a base. */
export interface Candidate {
  /** What is checked. */
  readonly commit: string;
  /** What it was merged into: the trunk, or where the two do not merge the commit that the work started from. */
  readonly base: string;
}

export type Merged = { readonly kind: 'clean'; readonly candidate: Candidate } | Conflict | { readonly kind: 'unrelated' };
interface Conflict {
  readonly kind: 'conflict';
  readonly files: readonly string[];
}

/** Merges `head` into `base` without touching either. It makes the same commit each time, so a lost one is made again. */
export async function mergeCandidate(repo: BareRepository, { base, head }: { base: string; head: string }): Promise<Merged> {
  const common = await repo.history.mergeBase(base, head);
  if (common === undefined) return { kind: 'unrelated' };
  if (common === base) return { kind: 'clean', candidate: { commit: head, base } };
  const merge = await repo.merging.merge({ ours: base, theirs: head });
  if (merge.kind === 'conflict') return merge;
  const commit = await repo.merging.commit({
    tree: merge.tree,
    parents: [base, head],
    message: 'Merge what has landed meanwhile\n',
    // Of the work, and not of now: the same two commits make the same candidate wherever and whenever it is made.
    at: await repo.objects.timeOf(head),
  });
  return { kind: 'clean', candidate: { commit, base } };
}

/** What to review of a submission: what would land, or where that conflicts the work by itself. */
export async function reviewCandidate(
  repo: BareRepository,
  sides: { base: string; head: string },
): Promise<Candidate | undefined> {
  const merged = await mergeCandidate(repo, sides);
  if (merged.kind === 'clean') return merged.candidate;
  if (merged.kind === 'unrelated') return undefined;
  return { commit: sides.head, base: (await repo.history.mergeBase(sides.base, sides.head)) ?? sides.base };
}
