import type { Duplex } from 'node:stream';
import type { RunLimits } from '../../contract/runs.ts';
import type { SandboxKind, SandboxWorth } from '../../contract/fleet/sandboxes.ts';

/**
 * The port to sandboxes. A sandbox is one workspace folder and any number of commands run in it, each apart from the others;
 * nothing that a command starts outlives it. A provider that cannot give the isolation it names refuses.
 */
export interface SandboxProvider extends SnapshotKeeper {
  readonly kind: SandboxKind;
  /** Whether a sandbox can be made on this machine, by making one, and what it is worth here. Never throws. */
  probe(): Promise<SandboxProbe>;
  /**
   * Throws Fault `sandbox_unavailable` where it cannot be made, `disk_full` where there is no space, `already_exists` while
   * one of this id lives, `invalid_request` for an id, a path or a folder that is not as SandboxSpec says.
   */
  create(spec: SandboxSpec): Promise<Sandbox>;
  /** Those that live and that this provider has made. */
  list(): readonly Sandbox[];
  get(id: string): Sandbox | undefined;
  /** Has `count` sandboxes with these limits half made, so that `create` is quicker. Resolves when they are; where it can't, at once. */
  prewarm(limits: SandboxLimits, count: number): Promise<void>;
  /**
   * Removes what workers that died have left (folders, cgroups, processes); returns how many sandboxes that was. `settle` is asked
   * before a workspace is removed, by one worker alone, when all that ran in it is dead; without it all are removed.
   */
  reapOrphans(settle?: Settle): Promise<number>;
}

/** What is to become of a workspace that a dead worker has left. Where it throws, the workspace stays. */
export type Settle = (orphan: Orphan) => Promise<'remove' | 'keep'>;

/** A sandbox that a dead worker has left. */
export interface Orphan {
  /** As its maker named it. */
  readonly id: string;
  /** Since it was made. */
  readonly ageMs: number;
  /** Its workspace in a sandbox of this worker, until it is settled. Throws Fault `sandbox_unavailable` where that cannot be. */
  open(limits: SandboxLimits): Promise<Sandbox>;
}

/** What a provider knows of snapshots beside taking and using them. */
interface SnapshotKeeper {
  /**
   * The snapshots that workers which are dead have kept here: this one's from now on, what was used last at the end. To be called before
   * `reapOrphans`, which leaves them. Absent where none are kept.
   */
  readonly kept?: () => Promise<readonly KeptSnapshot[]>;
  /** Whether a workspace that begins as snapshots shows them, which takes no time, and does not copy them. Absent: it copies. Never throws. */
  readonly layers?: () => Promise<boolean>;
}

export type SandboxProbe =
  | {
      readonly ok: true;
      readonly worth: SandboxWorth;
      /** For people: engine, version, place. */
      readonly facts: Readonly<Record<string, string>>;
      /** Of all that is held less than `enforced`, and of what is slower than it could be. */
      readonly lacks: readonly Lack[];
    }
  | { readonly ok: false; readonly why: string; readonly hint: string };

/** For people: what this machine does not give, in their words. */
export interface Lack {
  /** Limits, `network`, or another part of a sandbox. */
  readonly about: readonly string[];
  readonly why: string;
  /** What to do about it. */
  readonly mend: string;
}

export interface SandboxLimits {
  readonly memoryBytes: number;
  readonly processCount: number;
  readonly cpuCount: number;
  readonly tmpBytes: number;
  /** Of the workspace and of what is at `keptPath`, together. */
  readonly workspaceBytes: number;
}

/** As the server tells them with a run. */
export function limitsOf(told: RunLimits): SandboxLimits {
  return {
    memoryBytes: told.memory_bytes,
    processCount: told.process_count,
    cpuCount: told.cpu_count,
    tmpBytes: told.tmp_bytes,
    workspaceBytes: told.workspace_bytes,
  };
}

/** A folder that outlives a command, as the workspace does, in sandboxes that are made so. */
export const keptPath = '/kept';

/** The workspace, where commands begin unless told otherwise. */
export const workPath = '/work';

/** HOME of every command, empty at first. */
export const homePath = '/home/agent';

/** The last folder of the PATH of every command: what is shown there can be called, where the system has none of its own. */
export const addedProgramsPath = '/skep/node/bin';

export interface SandboxSpec {
  /** Names the sandbox on the host; letters, digits and dashes. */
  readonly id: string;
  readonly limits: SandboxLimits;
  /** Files shown read-only at an absolute path under /skep, written by the host from memory. */
  readonly files: readonly { readonly path: string; readonly content: string }[];
  /** Host folders shown read-only at an absolute path under /skep. */
  readonly folders: readonly { readonly from: string; readonly to: string }[];
  /** Whether there is a `keptPath`, empty at first. */
  readonly keeps?: boolean;
  /**
   * What the workspace begins as, the later over the earlier, `snapshotsMax` of them at most; empty without any. Throws Fault
   * `invalid_request` for one of another provider or another `workspaceBytes`.
   */
  readonly from?: readonly Snapshot[];
  /** Ways out of the sandbox, which has no network: none unless given. */
  readonly links?: readonly SandboxLink[];
}

/** That one workspace begins as. */
export const snapshotsMax = 8;

/** Of one provider and one process; gone with the worker that took it, unless it is kept. */
export interface Snapshot {
  readonly id: string;
  /** Sandboxes that were made from it stay. Safe to call twice. */
  remove(): Promise<void>;
  /**
   * Lets it outlive the worker, which may die at any moment from now on: a later one finds it, whole, with this text, by `kept`. Resolves
   * when that is so; throws where it can't be. Absent where no snapshot is.
   */
  readonly keep?: (text: string) => Promise<void>;
  /** At the worker's end, instead of `remove`: what is kept stays. Nobody may be at work with it any more. */
  readonly leave?: () => Promise<void>;
  /** Of one that was found: whether all of it is as it was when it was kept. To be asked before it is used. Never throws. */
  readonly isWhole?: () => Promise<boolean>;
}

/** What a worker that is dead has kept. */
export interface KeptSnapshot {
  readonly snapshot: Snapshot;
  readonly text: string;
}

/** A unix socket that the host listens on and that only this one sandbox can reach, from its first command to its end. */
export interface SandboxLink {
  /** Absolute, under /skep. */
  readonly path: string;
  /** Called for each connection, `linkConnectionsMax` of them at once; who connects beyond that is hung up on. */
  readonly onConnection: (connection: Duplex) => void;
}

/** Open at once on one link. More than any agent keeps, and few enough that their buffers are nothing. */
export const linkConnectionsMax = 64;

/** Commands that run in one sandbox at once. */
export const commandsMax = 8;

export interface Sandbox {
  readonly id: string;
  readonly limits: SandboxLimits;
  /** Epoch milliseconds. */
  readonly madeAtMs: number;
  /**
   * Resolves when the command and everything it started have ended and all output has been delivered. Throws Fault
   * `sandbox_unavailable` where the sandbox could not be set up around it, `invalid_request` for a `cwd` that is not there,
   * `too_large` for arguments that the system does not take, `wrong_state` while `commandsMax` others run or after `kill`, `failed`
   * where the system does not let a process end that was killed.
   */
  exec(command: SandboxCommand): Promise<SandboxExit>;
  /** How what runs is, by what the host sees of it: at once, and also where nothing in the sandbox answers. Never throws. */
  stats(): Promise<SandboxStats>;
  /** The workspace, read and written from inside: what an agent has put there can lead nowhere else. */
  readonly files: SandboxFiles;
  /**
   * The workspace as it is, for other sandboxes to begin with; absent where the provider has none. What a command writes meanwhile may be
   * half in it. Throws Fault `wrong_state` after `kill`, or while a command runs where that can't be, `too_large` or `disk_full`.
   */
  readonly snapshot?: () => Promise<Snapshot>;
  /** Kills what runs and removes every trace on the host. Safe to call twice. */
  kill(): Promise<void>;
}

/** Paths are relative to the workspace. Each throws Fault `file_not_found`, `invalid_request` or `too_large`, within `filesMsMax`. */
export interface SandboxFiles {
  /** Content of a plain file. */
  read(path: string, limits: { readonly bytesMax: number }): Promise<Buffer>;
  /** Makes or replaces a plain file, with the folders above it. */
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** What is in a folder, at most `entriesMax` of it; names that are no text in UTF-8 are left out. */
  list(path: string): Promise<readonly FileEntry[]>;
  /** The whole workspace as a tar archive, in chunks; more than `bytesMax` is refused. */
  export(archive: { readonly bytesMax: number; readonly onChunk: (chunk: Buffer) => void }): Promise<void>;
}

export interface FileEntry {
  readonly name: string;
  readonly type: 'file' | 'folder' | 'link' | 'other';
  readonly bytes: number;
}

export interface SandboxStats {
  /** `frozen`: each of its processes is stopped, or waits for what nothing can break off; `gone`: none runs. */
  readonly state: 'answering' | 'frozen' | 'gone';
  readonly processes: number;
  readonly memoryBytes: number;
  /** Used until now by what runs and what it has started; it does not grow where nothing works. */
  readonly cpuMs: number;
  /** Used of the workspace; undefined where that is not known without walking it. */
  readonly workspaceBytes: number | undefined;
}

export interface SandboxCommand {
  /** Program and arguments; never a shell string. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment beside PATH, HOME and LANG. Passed by descriptor, never on a command line. */
  readonly env?: Readonly<Record<string, string>>;
  /** Relative to the workspace (/work). */
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  readonly timeoutMs: number;
  /** Bytes of stdout and stderr together after which the command is killed. */
  readonly outputBytesMax: number;
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
  /** Aborted: all that runs is killed. */
  readonly signal?: AbortSignal;
  /** Aborted: the command's own process is sent SIGTERM, once; what comes of it is the command's affair. */
  readonly ask?: AbortSignal;
  /** Called when the command's own process has been started (not merely the sandbox around it). */
  readonly onStart?: () => void;
}

export type SandboxExit =
  | { readonly reason: 'exited'; readonly code: number; readonly durationMs: number }
  /** A shell that reports its child's death by exiting with 128 + signal cannot be told apart and is reported so too. */
  | { readonly reason: 'signaled'; readonly signal: string; readonly durationMs: number }
  /** The program does not exist in the sandbox or cannot be executed. */
  | { readonly reason: 'not_found'; readonly durationMs: number }
  /** Ended because the workspace grew over its limit, where that does not stop it from growing. */
  | { readonly reason: 'workspace_full'; readonly workspaceBytesMax: number; readonly durationMs: number }
  | { readonly reason: 'timeout' | 'output_limit' | 'aborted' | 'out_of_memory'; readonly durationMs: number };
