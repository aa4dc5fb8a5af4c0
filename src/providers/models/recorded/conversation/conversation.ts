/** What was said between an agent and its model, in words of no wire. Made of a request, it holds all that went before. */
export interface Conversation {
  readonly entries: readonly Entry[];
  readonly tools: readonly OfferedTool[];
  /** Null where free text is asked for. */
  readonly structured: StructuredWish | null;
  /** The limit of the answer; null where there is none. */
  readonly outputTokensMax: number | null;
  /** Only the chat wire leaves the usage out unless it is asked for. */
  readonly wantsUsage: boolean;
  /** Bytes that are new since the last request of the same conversation: from the assistant's last turn on. */
  readonly newBytes: number;
}

export type Entry =
  | { readonly kind: 'user'; readonly text: string }
  | { readonly kind: 'assistant'; readonly text: string }
  | { readonly kind: 'call'; readonly call: MadeCall }
  /** `id` is that of the call; empty on a wire that gives none. */
  | { readonly kind: 'output'; readonly id: string; readonly name: string; readonly text: string };

export interface MadeCall {
  readonly id: string;
  readonly name: string;
  readonly namespace?: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface OfferedTool {
  readonly name: string;
  /** Set where the wire groups tools; a call must name it too. */
  readonly namespace?: string;
  /** What kind of call the wire wants for it. */
  readonly kind: 'function' | 'tool_search' | 'local_shell';
  readonly schema: Readonly<Record<string, unknown>>;
}

export interface StructuredWish {
  /** The tool as whose arguments the object is handed over; null: as the text of the answer. */
  readonly tool: string | null;
  readonly schema: Readonly<Record<string, unknown>>;
}
