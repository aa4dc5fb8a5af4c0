import type { Agent as AgentSettings } from '../../contract/projects.ts';
import type { FailureClass } from '../../contract/runs.ts';
import type { HomeFile } from './host/job.ts';
import type { SandboxExit, SandboxSpec } from './sandbox.ts';

export type { AgentSettings };

/**
 * The port to coding agents, in the words of the Agent Client Protocol (agentclientprotocol.com) where it has some: one turn of one
 * agent on one task, inside a sandbox that is checked out already.
 */
export interface Agent {
  /** As in the `kind` of a project's agent; workers offer the capability `agent:<kind>` while it can run. */
  readonly kind: string;
  /** Whether it can run on this machine now. Without it: always. */
  isInstalled?(): Promise<boolean>;
  /** What its sandbox must have; asked before that is made. */
  needs(settings: AgentSettings): Promise<AgentNeeds>;
  /** Resolves when the agent and all that it started have ended. Throws only for faults of the worker. */
  run(context: AgentContext): Promise<AgentOutcome>;
}

export type AgentNeeds =
  | {
      readonly kind: 'met';
      /** Host folders that the sandbox shows read-only. */
      readonly folders: SandboxSpec['folders'];
      /** Whether it is given the gateway: models, and the tools by which it reports. */
      readonly gateway: boolean;
      /** Whether it keeps its conversation below `keptPath`, to be gone on with in another sandbox. */
      readonly keeps?: boolean;
      /** Whether it ends by a report: then that way is tried before it is started. */
      readonly reports?: boolean;
    }
  /** It can't run here; why, and how to mend it. */
  | { readonly kind: 'missing'; readonly message: string };

export interface AgentContext {
  readonly settings: AgentSettings;
  /** The ticket as JSON, with what was wrong with the last attempt and with the merge that is to be resolved. */
  readonly task: string;
  /** The same as words to a coding agent. */
  readonly prompt: string;
  /** What to say to one that goes on with its conversation, which knows the prompt already. */
  readonly promptAgain: string;
  /** Where the agent keeps its conversation: what a run that broke off has left there, relative to `keptPath`. Usually nothing. */
  readonly kept: readonly string[];
  /**
   * What the agent may know of its run: SKEP_TICKET_ID, SKEP_RUN_ID, SKEP_ATTEMPT; SKEP_TICKET, a file of the ticket; where there
   * is some, SKEP_FEEDBACK, a file of text; in a merge SKEP_CONFLICT, the files with conflicts, one a line; with the gateway
   * SKEP_GATEWAY_URL and SKEP_RUN_TOKEN.
   */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly outputBytesMax: number;
  /** The gateway as it is seen in the sandbox. */
  readonly gatewayUrl: string;
  /** Node as it is seen in the sandbox, where that has the gateway. */
  readonly node: string;
  /** The folder of the programs of src/inside as it is seen in the sandbox, where that has the gateway. */
  readonly inside: string;
  /** Starts the agent's program in the sandbox. May be called again when it has ended. */
  start(program: AgentProgram): Promise<SandboxExit>;
  /** What the agent does, as it does it. */
  readonly onUpdate: (update: SessionUpdate) => void;
  /** What it prints, where that is meant for people; `stdout` unless told. */
  readonly onOutput: (chunk: Buffer, stream?: 'stdout' | 'stderr') => void;
}

export interface AgentProgram {
  /** Program and arguments; never a shell string, and never a secret. */
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** Files of its HOME, which is this run's alone. Only with the gateway. */
  readonly home?: readonly HomeFile[];
  /** Folders in front of PATH. Only with the gateway. */
  readonly path?: readonly string[];
  /** The context's own unless told: of a stream of events most is not kept. */
  readonly outputBytesMax?: number;
  /** Also where the lease of its run is lost, it is asked to end, and killed so much later. For what can do no harm meanwhile; else it is killed at once. */
  readonly farewellMs?: number;
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
}

/** `done` is a claim of the agent; what it changed is seen when it is collected. */
export type AgentOutcome =
  | { readonly kind: 'done'; readonly stopReason: 'end_turn'; readonly durationMs: number }
  | {
      readonly kind: 'failed';
      readonly class: FailureClass;
      readonly message: string;
      /** Where it ended its turn itself. */
      readonly stopReason?: Exclude<StopReason, 'end_turn' | 'cancelled'>;
      readonly durationMs: number;
    }
  /** ACP's `cancelled`. */
  | { readonly kind: 'aborted' };

export type StopReason = 'end_turn' | 'max_tokens' | 'max_turn_requests' | 'refusal' | 'cancelled';

/** As ACP's session/update, of which these kinds are used; what is told of files there stands in a kind of its own. */
export type SessionUpdate =
  | { readonly sessionUpdate: 'agent_message_chunk' | 'agent_thought_chunk'; readonly text: string }
  | {
      readonly sessionUpdate: 'tool_call';
      readonly toolCallId: string;
      readonly kind: 'execute' | 'edit' | 'read' | 'other';
      /** The command line of `execute`; otherwise a few words. */
      readonly title: string;
      /** What the tool was given, as the agent tells it. */
      readonly input?: unknown;
    }
  | {
      readonly sessionUpdate: 'tool_call_update';
      readonly toolCallId: string;
      readonly status: 'completed' | 'failed';
      readonly output: string;
      /** What was read or written is in the repository: for a log it is not worth its lines. */
      readonly isQuiet?: boolean;
    }
  /** Told when it is done. Where an agent does not say that a file is new, it is `modified`. */
  | {
      readonly sessionUpdate: 'file_change';
      readonly path: string;
      readonly change: 'added' | 'modified' | 'deleted';
      readonly toolCallId?: string;
    }
  /** As the agent counts; the gateway's count is the one that is paid by. */
  | { readonly sessionUpdate: 'usage_update'; readonly inputTokens: number; readonly outputTokens: number };
