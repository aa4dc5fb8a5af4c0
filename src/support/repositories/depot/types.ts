import type { Readable, Writable } from 'node:stream';

/** Skep's own copy of each project's repository: bare, owned by the host, below one folder that several servers may share. */
export interface Depot {
  /** The repository of a project, made when it is not there. Throws Fault `repository_unavailable` where it is of another format. */
  open(projectId: string, objectFormat?: ObjectFormat): Promise<BareRepository>;
}

export type ObjectFormat = 'sha1' | 'sha256';

/** Commits are full ids everywhere; refs are below refs/skep/. Anything else is a programmer's mistake and a plain Error. */
export interface BareRepository {
  readonly gitDir: string;
  /** What a git that writes refs of `gitDir` holds meanwhile. */
  readonly lock: string;
  readonly objectFormat: ObjectFormat;
  readonly objects: Objects;
  readonly history: History;
  readonly merging: Merging;
  readonly refs: Refs;
  readonly transfer: Transfer;
}

export interface Objects {
  /** Whether all of them are here, at least one. */
  has(...commits: readonly [string, ...string[]]): Promise<boolean>;
  treeOf(commit: string): Promise<string>;
  /** When it was committed, as it says; 1970 where that is no time between then and 2100. */
  timeOf(commit: string): Promise<Date>;
  /** The files of a commit, at most `max`, in git's order. Submodules and links are among them, by their mode. */
  listFiles(commit: string, limit: { readonly max: number }): Promise<FileList>;
  /** Regular files of at most 256 KiB each and 32 MiB in all, as UTF-8; what is missing, larger or no such file is left out. */
  readFiles(commit: string, paths: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** What a user should know of a commit that work starts from, in sentences: submodules, Git LFS. */
  notes(commit: string): Promise<readonly string[]>;
}

export interface FileList {
  readonly files: readonly ListedFile[];
  readonly isComplete: boolean;
}

export interface ListedFile {
  /** A path that is not UTF-8 has U+FFFD in it. */
  readonly path: string;
  /** Such as 100644; 100755 can be executed, 120000 is a link, 160000 a submodule. */
  readonly mode: string;
  /** Bytes; 0 of a submodule. */
  readonly size: number;
}

export interface History {
  /** A commit is its own ancestor. */
  isAncestor(ancestor: string, of: string): Promise<boolean>;
  mergeBase(a: string, b: string): Promise<string | undefined>;
  /** What differs between two commits, renames found. */
  changes(base: string, head: string): Promise<Changes>;
  /** A unified diff; what can't be seen is spelled out, as <U+202E>. Cut at `bytesMax` with a line that says so. */
  diff(base: string, head: string, limit: { readonly bytesMax: number }): Promise<string>;
  /** A line for each commit of `head` that `base` has not, at most `max`; with `graph` drawn as git draws it. */
  log(base: string, head: string, how: { readonly graph: boolean; readonly max: number }): Promise<string>;
}

export interface Changes {
  readonly files: readonly FileChange[];
  /** False where more files changed than are listed: judge such a change as if it had changed everything. */
  readonly isComplete: boolean;
}

export interface FileChange {
  readonly path: string;
  readonly status: 'added' | 'modified' | 'deleted' | 'renamed';
  /** Of a renamed file. */
  readonly oldPath?: string;
  /** As in ListedFile; undefined where the file is not there. */
  readonly oldMode: string | undefined;
  readonly mode: string | undefined;
}

export interface Merging {
  /** Merges two commits without a working tree. Where one holds the other, the result is the tree of the one that holds. */
  merge(sides: { readonly ours: string; readonly theirs: string }): Promise<Merge>;
  /** The same content gives the same commit. Skep is the committer, and the author where none is named. */
  commit(content: CommitContent): Promise<string>;
  /** A commit without files or parents, the same in every repository of a format: where work starts that has no repository. */
  rootCommit(): Promise<string>;
}

export type Merge =
  | { readonly kind: 'clean'; readonly tree: string }
  /** At most 1,000 paths, sorted. */
  | { readonly kind: 'conflict'; readonly files: readonly string[] };

export interface CommitContent {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly at: Date;
  readonly author?: { readonly name: string; readonly email: string };
}

export interface Refs {
  read(ref: string): Promise<string | undefined>;
  /** Keeps the commit, and all before it, from being thrown away. */
  set(ref: string, commit: string): Promise<void>;
  /** Deleting what is not there is fine. */
  delete(ref: string): Promise<void>;
}

export interface Transfer {
  /**
   * Takes in a git bundle that holds refs/heads/`branch` alone, and keeps its head as `ref`. Nothing of a bundle that is refused
   * stays. Throws Fault `invalid_bundle` with the reason, `disk_full`. Answers the head. To repeat it is fine.
   */
  receive(bundle: ReceivedBundle): Promise<string>;
  /** A git bundle of `head` as refs/heads/`branch`, without what the commits of `not` hold; `receive` takes it where those are. */
  bundle(what: BundleContent): Readable;
  /** Answers one request of git's smart HTTP, version 2; ends `output`. Throws Fault `invalid_request`, `forbidden`, `too_large`. */
  uploadPack(request: UploadPackRequest): Promise<void>;
}

export interface ReceivedBundle {
  readonly source: Readable;
  readonly branch: string;
  readonly ref: string;
  /** The commits that the bundle may build on; where absent, any that are here. */
  readonly prerequisites?: readonly string[] | undefined;
}

export interface BundleContent {
  readonly branch: string;
  readonly head: string;
  readonly not: readonly string[];
}

export interface UploadPackRequest {
  /** advertise answers GET info/refs, rpc answers POST git-upload-pack. */
  readonly service: 'advertise' | 'rpc';
  /** The body, not compressed; at most 8 MiB. Absent for advertise. */
  readonly input?: Readable | undefined;
  readonly output: Writable;
  /** The header Git-Protocol; git sends version=2. */
  readonly protocol: string | undefined;
  /** The only commits that may be asked for. No ref is shown. */
  readonly wants: readonly string[];
  readonly signal?: AbortSignal | undefined;
}
