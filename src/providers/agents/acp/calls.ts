import type { SessionUpdate } from '../../../worker/agent.ts';
import { isRecord, listIn, textIn } from '../json-lines.ts';

type Update = Readonly<Record<string, unknown>>;

/** Calls of tools, of which an agent tells in several updates. */
export interface Calls {
  read(update: Update): readonly SessionUpdate[];
  /** Those that never began. */
  end(): readonly SessionUpdate[];
}

interface Call {
  readonly title: string;
  readonly kind: string;
  readonly input: unknown;
  readonly changes: readonly Change[];
  /** What came of it in pieces. */
  readonly printed: string;
  isTold: boolean;
}

interface Change {
  readonly path: string;
  readonly change: 'added' | 'modified' | 'deleted';
}

/** Of one call. */
const changesMax = 500;
const printedMax = 262_144;

/** Calls that have not ended. An agent that makes more at once has gone mad; then the oldest are forgotten. */
const openCallsMax = 1_000;

export function createCalls(): Calls {
  const calls = new Map<string, Call>();

  /** Some say first that there is a call, and then of what: it is told when it begins. */
  function read(update: Update): readonly SessionUpdate[] {
    const id = textIn(update, 'toolCallId');
    const known = calls.get(id);
    const call = {
      title: textIn(update, 'title') || (known?.title ?? ''),
      kind: textIn(update, 'kind') || (known?.kind ?? ''),
      input: isFilled(update['rawInput']) ? update['rawInput'] : known?.input,
      changes: changesIn(update, textIn(update, 'kind') || (known?.kind ?? ''), known?.changes ?? []),
      printed: ((known?.printed ?? '') + pieceIn(update)).slice(0, printedMax),
      isTold: known?.isTold ?? false,
    };
    const status = textIn(update, 'status');
    const isOver = status === 'completed' || status === 'failed';
    const told: SessionUpdate[] = [];
    if (!call.isTold && (isOver || status === 'in_progress' || isSaid(call))) {
      call.isTold = true;
      told.push(callOf(id, call));
    }
    calls.delete(id);
    if (!isOver) keep(id, call);
    else {
      if (status === 'completed')
        told.push(...call.changes.map(each => ({ sessionUpdate: 'file_change', toolCallId: id, ...each }) as const));
      told.push(resultOf(update, { ...call, id, status }));
    }
    return told;
  }

  function keep(id: string, call: Call): void {
    const [oldest] = calls.keys();
    if (oldest !== undefined && calls.size >= openCallsMax) calls.delete(oldest);
    calls.set(id, call);
  }

  return {
    read,
    end() {
      const untold = [...calls].filter(([, call]) => !call.isTold).map(([id, call]) => callOf(id, call));
      calls.clear();
      return untold;
    },
  };
}

/** Whether what is to be done is known. */
function isSaid({ kind, input }: Call): boolean {
  return kind === 'execute' ? textIn(input, 'command') !== '' : isFilled(input);
}

function isFilled(input: unknown): boolean {
  return isRecord(input) && Object.keys(input).length > 0;
}

const kinds = new Map<string, 'edit' | 'execute' | 'read'>([
  ...['edit', 'delete', 'move'].map(kind => [kind, 'edit'] as const),
  ...['read', 'search'].map(kind => [kind, 'read'] as const),
  ['execute', 'execute'],
]);

function callOf(toolCallId: string, { title, kind, input }: Call): SessionUpdate {
  const call = { sessionUpdate: 'tool_call', toolCallId, ...(isFilled(input) ? { input } : {}) } as const;
  const ours = kinds.get(kind) ?? 'other';
  return { ...call, kind: ours, title: ours === 'execute' ? textIn(input, 'command') || title : title };
}

interface Over extends Pick<Call, 'kind' | 'printed'> {
  readonly id: string;
  readonly status: 'completed' | 'failed';
}

function resultOf(update: Update, { id, status, kind, printed }: Over): SessionUpdate {
  // What was read is in the repository, and what was changed too; only that it failed is worth a line.
  const isQuiet = ![undefined, 'execute'].includes(kinds.get(kind)) && status === 'completed';
  const result = { sessionUpdate: 'tool_call_update', toolCallId: id, status, output: outputOf(update) || printed } as const;
  return isQuiet ? { ...result, isQuiet } : result;
}

/** What a call changes: the diffs that it shows; where it shows none, the places where an edit or a deletion is at work. */
function changesIn(update: Update, kind: string, before: readonly Change[]): readonly Change[] {
  const diffs = listIn(update, 'content')
    .filter(part => textIn(part, 'type') === 'diff')
    .map((part): Change => ({ path: textIn(part, 'path'), change: isNew(part) ? 'added' : 'modified' }));
  const change = kind === 'delete' ? 'deleted' : 'modified';
  const places = listIn(update, 'locations').map((place): Change => ({ path: textIn(place, 'path'), change }));
  const found = diffs.length > 0 ? diffs : kind === 'edit' || kind === 'delete' ? places : [];
  // Each update says all of it again.
  if (found.length === 0 || (diffs.length === 0 && before.length > 0)) return before;
  return [...new Map(found.map(each => [each.path, each])).values()].slice(0, changesMax);
}

function isNew(diff: unknown): boolean {
  return isRecord(diff) && (diff['oldText'] === null || diff['oldText'] === undefined);
}

/** The bridge of Codex tells what a command prints as it prints it, and not at its end. */
function pieceIn(update: Update): string {
  const { terminal_output_delta: piece } = isRecord(update['_meta']) ? update['_meta'] : {};
  return textIn(piece, 'data');
}

function outputOf(update: Update): string {
  const parts = listIn(update, 'content').map(part => textIn(isRecord(part) ? part['content'] : undefined, 'text'));
  // What was printed, where it is there by itself; otherwise as the agent dresses it.
  return textIn(update, 'rawOutput') || textIn(update['rawOutput'], 'output') || parts.filter(text => text !== '').join('\n');
}
