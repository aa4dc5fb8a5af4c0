import type { Check } from '../../../../../contract/projects.ts';

export interface Detected {
  readonly checks: Check[];
  /** What was found and gives no check, one sentence each. */
  readonly notes: string[];
}

/** The files at a commit, and the text of those that were read. Paths from the root of the repository. */
export interface CommitFiles {
  readonly files: ReadonlySet<string>;
  readonly read: ReadonlyMap<string, string>;
}
