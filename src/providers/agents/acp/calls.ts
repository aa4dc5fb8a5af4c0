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
  isTold: boolean;
}

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
    if (isOver) told.push({ sessionUpdate: 'tool_call_update', toolCallId: id, status, output: outputOf(update, call.kind) });
    else keep(id, call);
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

const kinds: Readonly<Record<string, 'edit' | 'execute' | 'read'>> = {
  ...{ edit: 'edit', delete: 'edit', move: 'edit' },
  ...{ execute: 'execute', read: 'read', search: 'read' },
};

function callOf(toolCallId: string, { title, kind, input }: Call): SessionUpdate {
  const call = { sessionUpdate: 'tool_call', toolCallId } as const;
  const ours = kinds[kind] ?? 'other';
  if (ours === 'execute') return { ...call, kind: ours, title: textIn(input, 'command') || title };
  if (ours !== 'other') return { ...call, kind: ours, title };
  return { ...call, kind: ours, title: isFilled(input) ? `${title} ${JSON.stringify(input)}` : title };
}

function outputOf(update: Update, kind: string): string {
  // What was read is in the repository, and what was changed too; only that it failed is worth a line.
  const isKnown = kinds[kind] !== undefined && kinds[kind] !== 'execute';
  if (isKnown && textIn(update, 'status') === 'completed') return '';
  const parts = listIn(update, 'content').map(part => textIn(isRecord(part) ? part['content'] : undefined, 'text'));
  // What was printed, where it is there by itself; otherwise as the agent dresses it.
  return textIn(update, 'rawOutput') || textIn(update['rawOutput'], 'output') || parts.filter(text => text !== '').join('\n');
}
