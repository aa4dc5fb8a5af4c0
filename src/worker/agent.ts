import type { Agent as AgentSettings } from '../../contract/projects.ts';
import type { FailureClass } from '../../contract/runs.ts';
import type { Sandbox } from './sandbox.ts';

export type { AgentSettings };

/** The port to coding agents. One run of one agent on one task, inside a sandbox that is checked out already. */
export interface Agent {
  /** As in the `kind` of a project's agent; workers offer the capability `agent:<kind>`. */
  readonly kind: string;
  /** Resolves when the agent and all that it started have ended. Throws only for faults of the worker. */
  run(context: AgentContext): Promise<AgentOutcome>;
}

export interface AgentContext {
  readonly sandbox: Sandbox;
  readonly settings: AgentSettings;
  /** The ticket as JSON, with what was wrong with the last attempt and with the merge that is to be resolved. */
  readonly task: string;
  /**
   * What the agent may know of its run: SKEP_TICKET_ID, SKEP_RUN_ID, SKEP_ATTEMPT; SKEP_TICKET, a file of the ticket; where there
   * is some, SKEP_FEEDBACK, a file of text; in a merge SKEP_CONFLICT, the files with conflicts, one a line.
   */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly outputBytesMax: number;
  readonly signal: AbortSignal;
  /** To be called once, when the agent's own process runs. */
  readonly onStart: () => void;
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
}

/** `done` is a claim of the agent; what it changed is seen when it is collected. */
export type AgentOutcome =
  | { readonly kind: 'done'; readonly durationMs: number }
  | { readonly kind: 'failed'; readonly class: FailureClass; readonly message: string; readonly durationMs: number }
  | { readonly kind: 'aborted' };
