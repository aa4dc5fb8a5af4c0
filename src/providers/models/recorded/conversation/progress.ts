import type { Conversation, Entry, MadeCall } from './conversation.ts';

/** How far the present turn has come. A turn begins with a word of the user after the assistant had ended the one before. */
export interface Progress {
  /** Steps that are behind us: calls of this turn that have their output. */
  readonly position: number;
  /** What the user asked at the beginning of this turn. */
  readonly asked: string;
  /** What the last step has put out, with what came out while it was waited for. */
  readonly output: string;
  /** Since the last step: how often a command that still runs was waited for, and whether tools were searched for. */
  readonly waits: number;
  readonly hasSearched: boolean;
}

/**
 * Reads the progress from the conversation alone, so that a request that is sent again, by whatever process to whatever server,
 * gets the same answer. A call that has no output yet was not made: it is answered again.
 */
export function progressOf({ entries }: Pick<Conversation, 'entries'>): Progress {
  const turn = entries.slice(beginningOfTurn(entries));
  const made: MadeCall[] = [];
  const asked: string[] = [];
  const state = { position: 0, outputs: [] as string[], waits: 0, hasSearched: false };
  for (const entry of turn) {
    if (entry.kind === 'user' && made.length === 0) asked.push(entry.text);
    if (entry.kind === 'call') made.push(entry.call);
    if (entry.kind !== 'output') continue;
    const call = callOf(entry, made);
    if (call !== undefined && isSearch(call)) state.hasSearched = true;
    else if (call !== undefined && isWait(call)) {
      state.waits += 1;
      state.outputs.push(entry.text);
    } else Object.assign(state, { position: state.position + 1, outputs: [entry.text], waits: 0, hasSearched: false });
  }
  return { ...state, asked: asked.join('\n'), output: state.outputs.join('\n') };
}

/** The index of the first word of the user after the last answer without a call. */
function beginningOfTurn(entries: readonly Entry[]): number {
  let beginning = 0;
  let hasEnded = false;
  for (const [i, { kind }] of entries.entries()) {
    if (kind === 'user' && hasEnded) beginning = i;
    hasEnded = kind === 'assistant';
  }
  return beginning;
}

/** By its id; on a wire without ids the last of its name. */
function callOf({ id, name }: { id: string; name: string }, made: readonly MadeCall[]): MadeCall | undefined {
  if (id !== '') return made.find(call => call.id === id);
  return made.findLast(call => call.name === name);
}

/** Looking up tools that an agent offers only on demand is no step of a recording. */
export function isSearch({ name }: { readonly name: string }): boolean {
  return /^tool_?search$/i.test(name);
}

/** Codex answers while a long command still runs; waiting for its end is no step either. */
export function isWait({ name, args }: MadeCall): boolean {
  return name === 'write_stdin' && (args['chars'] ?? '') === '';
}
