/**
 * What a worker and the client of the Agent Client Protocol in a sandbox (src/inside/acp.ts) say to each other: the turn as one JSON
 * document on stdin, and events as JSON on stdout, one a line.
 */
export interface AcpTurn {
  /** The agent's program and arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly prompt: string;
  /** Said to a session that was gone on with. */
  readonly promptAgain: string;
  /** Where the id of the session is kept; absent: sessions of this agent can't be gone on with. */
  readonly sessionFile?: string;
  /** A folder with conversations of an agent that names them by the minute, and in the same would write over the one that it is to go on with. */
  readonly byMinute?: string;
  /** The gateway's tools; the client adds the run token, which it has in its environment. */
  readonly mcpUrl: string;
}

export type AcpEvent =
  /** `anew`: the one before could not be gone on with. */
  | { readonly event: 'session'; readonly begins: 'new' | 'again' | 'anew' }
  /** What the agent sent as session/update. */
  | { readonly event: 'update'; readonly update: unknown }
  /** What the agent answered to session/prompt. */
  | { readonly event: 'ended'; readonly stopReason: string; readonly inputTokens: number; readonly outputTokens: number }
  | { readonly event: 'failed'; readonly message: string }
  /** The agent's program does not exist in the sandbox or cannot be executed. */
  | { readonly event: 'not_found' }
  /** The agent was ended by a signal that the client did not send. */
  | { readonly event: 'died'; readonly signal: string };

/** The client's file, in the folder of the programs for sandboxes. */
export const acpProgram = 'acp.mjs';
