import type { Duplex } from 'node:stream';

/**
 * The port to sandboxes. A sandbox is one workspace folder and any number of commands run in it, one after another, each
 * in its own namespaces; nothing that a command starts outlives it. A provider that cannot give the isolation it names refuses.
 */
export interface SandboxProvider {
  readonly name: string;
  /** Whether a sandbox can be made on this machine, by making one. Never throws. */
  probe(): Promise<SandboxProbe>;
  /**
   * Throws Fault `sandbox_unavailable` where it cannot be made, `disk_full` where there is no space, `already_exists` while
   * one of this id lives, `invalid_request` for an id, a path or a folder that is not as SandboxSpec says.
   */
  create(spec: SandboxSpec): Promise<Sandbox>;
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

export type SandboxProbe =
  | { readonly ok: true; readonly isolation: 'namespaces'; readonly facts: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly why: string; readonly hint: string };

export interface SandboxLimits {
  readonly memoryBytes: number;
  readonly processCount: number;
  readonly cpuCount: number;
  readonly tmpBytes: number;
}

/** A folder that outlives a command, as the workspace does, in sandboxes that are made so. */
export const keptPath = '/kept';

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
  /** Ways out of the sandbox, which has no network: none unless given. */
  readonly links?: readonly SandboxLink[];
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

export interface Sandbox {
  readonly id: string;
  /**
   * Resolves when the command and everything it started have ended and all output has been delivered. Throws Fault
   * `sandbox_unavailable` where the sandbox could not be set up around it, `invalid_request` for a `cwd` that is not there,
   * `too_large` for arguments that the system does not take, `wrong_state` while another command runs or after `destroy`, `failed`
   * where the system does not let a process end that was killed.
   */
  exec(command: SandboxCommand): Promise<SandboxExit>;
  /** How the command that runs is, by what the host sees of it: at once, and also where nothing in the sandbox answers. Never throws. */
  health(): Promise<SandboxHealth>;
  /** Kills what runs and removes every trace on the host. Safe to call twice. */
  destroy(): Promise<void>;
}

export interface SandboxHealth {
  /** `frozen`: each of its processes is stopped, or waits for what nothing can break off; `gone`: none runs. */
  readonly state: 'answering' | 'frozen' | 'gone';
  readonly processes: number;
  readonly memoryBytes: number;
  /** Used until now by what runs and what it has started; it does not grow where nothing works. */
  readonly cpuMs: number;
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
  | { readonly reason: 'timeout' | 'output_limit' | 'aborted' | 'out_of_memory'; readonly durationMs: number };
