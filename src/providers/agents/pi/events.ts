import type { SessionUpdate } from '../../../worker/agent.ts';
import { isRecord, listIn, numberIn, textIn } from '../json-lines.ts';

type Event = Readonly<Record<string, unknown>>;

/** How a session stands by the events so far. */
export interface Session {
  /** Turns what `pi --mode json` prints into updates. */
  read(event: Event): readonly SessionUpdate[];
  /** Why the model's last message ended: stop, length, toolUse, error or aborted; empty before the first. */
  readonly stopReason: string;
  /** Whether the model has said or done anything. */
  readonly hasWorked: boolean;
  /** The words of the last error. */
  readonly failure: string | undefined;
}

/** The greater part of all bytes: the message so far, again with every piece of it. */
export function isPiece(beginning: string): boolean {
  return /^\{"type":"(?:message_update|tool_execution_update|message_start)"/.test(beginning);
}

export function createSession(): Session {
  let stopReason = '';
  let hasWorked = false;
  let failure: string | undefined;
  const writing = new Map<string, string>();
  const used = { inputTokens: 0, outputTokens: 0 };

  function message(said: unknown): readonly SessionUpdate[] {
    if (textIn(said, 'role') !== 'assistant') return [];
    stopReason = textIn(said, 'stopReason');
    failure = textIn(said, 'errorMessage') || undefined;
    hasWorked ||= stopReason !== 'error' && stopReason !== 'aborted';
    const usage = isRecord(said) ? said['usage'] : undefined;
    used.inputTokens += numberIn(usage, 'input') + numberIn(usage, 'cacheRead') + numberIn(usage, 'cacheWrite');
    used.outputTokens += numberIn(usage, 'output');
    return listIn(said, 'content').flatMap(chunk);
  }

  /** What is written is told when it is done, and its end does not say of what it is. */
  function begun(event: Event): readonly SessionUpdate[] {
    const [oldest] = writing.keys();
    if (oldest !== undefined && writing.size >= openCallsMax) writing.delete(oldest);
    if (isWriting(event)) writing.set(textIn(event, 'toolCallId'), textIn(event['args'], 'path'));
    return [toolCall(event)];
  }

  function ended(event: Event): readonly SessionUpdate[] {
    const toolCallId = textIn(event, 'toolCallId');
    const path = writing.get(toolCallId);
    writing.delete(toolCallId);
    const isChange = path !== undefined && event['isError'] !== true;
    return [
      ...(isChange ? [{ sessionUpdate: 'file_change', toolCallId, path, change: 'modified' } as const] : []),
      toolResult(event),
    ];
  }

  return {
    get stopReason() {
      return stopReason;
    },
    get hasWorked() {
      return hasWorked;
    },
    get failure() {
      return failure;
    },
    read(event) {
      switch (event['type']) {
        case 'message_end':
          return message(event['message']);
        case 'tool_execution_start':
          return begun(event);
        case 'tool_execution_end':
          return ended(event);
        case 'auto_retry_start':
          return [{ sessionUpdate: 'agent_thought_chunk', text: `trying again: ${textIn(event, 'errorMessage')}` }];
        case 'agent_end':
          return [{ sessionUpdate: 'usage_update', ...used }];
        default:
          return [];
      }
    },
  };
}

function chunk(part: unknown): readonly SessionUpdate[] {
  const kind = textIn(part, 'type');
  if (kind === 'text') return [{ sessionUpdate: 'agent_message_chunk', text: textIn(part, 'text') }];
  return kind === 'thinking' ? [{ sessionUpdate: 'agent_thought_chunk', text: textIn(part, 'thinking') }] : [];
}

/** Calls of tools that write, and have not ended. An agent that makes more at once has gone mad; then the oldest are forgotten. */
const openCallsMax = 1_000;

function isWriting(event: Event): boolean {
  return ['edit', 'write'].includes(textIn(event, 'toolName'));
}

function toolCall(event: Event): SessionUpdate {
  const [toolCallId, name] = [textIn(event, 'toolCallId'), textIn(event, 'toolName')];
  const path = textIn(event['args'], 'path');
  const call = { sessionUpdate: 'tool_call', toolCallId, ...inputOf(event) } as const;
  if (name === 'bash') return { ...call, kind: 'execute', title: textIn(event['args'], 'command') };
  if (isWriting(event)) return { ...call, kind: 'edit', title: `${name} ${path}` };
  return { ...call, kind: name === 'read' ? 'read' : 'other', title: `${name} ${path}`.trim() };
}

function inputOf({ args }: Event): { readonly input?: unknown } {
  return isRecord(args) ? { input: args } : {};
}

function toolResult(event: Event): SessionUpdate {
  const texts = listIn(event['result'], 'content').map(part => textIn(part, 'text'));
  const status = event['isError'] === true ? 'failed' : 'completed';
  // What was read is in the repository; only that a read failed is worth a line.
  const isQuiet = textIn(event, 'toolName') === 'read' && status === 'completed';
  return {
    sessionUpdate: 'tool_call_update',
    toolCallId: textIn(event, 'toolCallId'),
    ...{ status, output: texts.join('\n') },
    ...(isQuiet ? { isQuiet } : {}),
  };
}
