/** The port to the users' repositories: a folder of this machine, or whatever git can clone. A forge may stand behind it. */
export interface Upstream {
  /**
   * Says where the work would start, and whether `branch` is there; changes nothing. Throws Fault `repository_unavailable`,
   * which says what is wrong and how to mend it.
   */
  look(repository: string, at: { readonly branch: string; readonly signal: AbortSignal }): Promise<Look>;
  /**
   * Fetches the commit that HEAD names, with its history and no other branch or tag, into the bare repository `gitDir` as `ref`.
   * Answers that commit. Throws Fault `repository_unavailable`, also where the repository has no commit.
   */
  fetch(repository: string, into: FetchTarget): Promise<string>;
  /**
   * Pushes `commit` to refs/heads/`branch`, if that branch is at `expected`, or does not exist where `expected` is undefined. To
   * repeat a push that arrived is fine. Touches one ref: no working tree, index or HEAD. Throws Fault `branch_exists` where the
   * branch is at another commit, `push_refused`, `repository_unavailable`.
   */
  publish(repository: string, what: Publication): Promise<void>;
}

export interface Look {
  /** What HEAD names; undefined in a repository without a commit. */
  readonly commit: string | undefined;
  readonly objectFormat: 'sha1' | 'sha256';
  /** The commit of the branch; undefined where it does not exist. */
  readonly branchAt: string | undefined;
  /** Whether a push can succeed, as far as it can be known without one: always true of a URL. */
  readonly isWritable: boolean;
  /** What a user should know of the repository, in sentences. */
  readonly notes: readonly string[];
}

export interface FetchTarget {
  readonly gitDir: string;
  /** A file that no other git which writes to `gitDir` holds meanwhile. */
  readonly lock: string;
  readonly ref: string;
  readonly signal: AbortSignal;
}

export interface Publication {
  readonly gitDir: string;
  readonly commit: string;
  readonly branch: string;
  readonly expected: string | undefined;
  readonly signal: AbortSignal;
}
