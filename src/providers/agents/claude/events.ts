import type { SessionUpdate } from '../../../worker/agent.ts';
import { isRecord, listIn, numberIn, textIn } from '../json-lines.ts';
import type { AgentEvent, Turn } from '../turn.ts';

interface Call {
  readonly name: string;
  /** Of the file that it is about. */
  readonly path: string;
}

/** Calls of tools without a result yet. An agent that makes more at once has gone mad; then names of old ones are forgotten. */
const openCallsMax = 1_000;

export function createTurn(): Turn {
  const stands = { isCompleted: false, hasWorked: false, failure: undefined as string | undefined };
  const open = new Map<string, Call>();

  function said(message: unknown): readonly SessionUpdate[] {
    // An error of the model's provider comes as a message that no model wrote, and again at the end.
    if (textIn(message, 'model') === '<synthetic>') return [];
    stands.hasWorked = true;
    return listIn(message, 'content').flatMap(part => {
      if (textIn(part, 'type') === 'tool_use') remember(part);
      return partOf(part);
    });
  }

  function remember(part: unknown): void {
    const [oldest] = open.keys();
    if (oldest !== undefined && open.size >= openCallsMax) open.delete(oldest);
    open.set(textIn(part, 'id'), { name: textIn(part, 'name'), path: pathIn(inputOf(part)) });
  }

  function answered({ message, tool_use_result: more }: AgentEvent): readonly SessionUpdate[] {
    return listIn(message, 'content').flatMap(part => {
      if (textIn(part, 'type') !== 'tool_result') return [];
      const toolCallId = textIn(part, 'tool_use_id');
      const call = open.get(toolCallId) ?? { name: '', path: '' };
      open.delete(toolCallId);
      const result = resultOf(part, { toolCallId, call });
      const isChange = kinds.get(call.name) === 'edit' && call.path !== '' && result.status === 'completed';
      // It says of a file that it has written whether it made it.
      const change = textIn(more, 'type') === 'create' ? 'added' : 'modified';
      return isChange ? [{ sessionUpdate: 'file_change', toolCallId, path: call.path, change }, result] : [result];
    });
  }

  return Object.assign(stands, {
    read(event: AgentEvent): readonly SessionUpdate[] {
      switch (event['type']) {
        case 'assistant':
          return said(event['message']);
        case 'user':
          return answered(event);
        case 'system':
          return event['subtype'] === 'api_retry' ? [tryingAgain(event)] : [];
        case 'result':
          stands.failure = failureOf(event);
          stands.isCompleted = stands.failure === undefined;
          return [usage(event['usage'])];
        default:
          return [];
      }
    },
  });
}

function partOf(part: unknown): readonly SessionUpdate[] {
  switch (textIn(part, 'type')) {
    case 'text':
      return [{ sessionUpdate: 'agent_message_chunk', text: textIn(part, 'text') }];
    case 'thinking':
      return [{ sessionUpdate: 'agent_thought_chunk', text: textIn(part, 'thinking') }];
    case 'tool_use':
      return [toolCall(part)];
    default:
      return [];
  }
}

const kinds = new Map<string, 'edit' | 'read'>([
  ...['Edit', 'MultiEdit', 'Write', 'NotebookEdit'].map(name => [name, 'edit'] as const),
  ...['Read', 'Glob', 'Grep'].map(name => [name, 'read'] as const),
]);

function toolCall(part: unknown): SessionUpdate {
  const name = textIn(part, 'name');
  const input = inputOf(part) ?? {};
  const call = { sessionUpdate: 'tool_call', toolCallId: textIn(part, 'id'), input } as const;
  if (name === 'Bash') return { ...call, kind: 'execute', title: textIn(input, 'command') };
  const kind = kinds.get(name);
  if (kind === undefined) return { ...call, kind: 'other', title: ownName(name) };
  const what = pathIn(input) || textIn(input, 'pattern');
  return { ...call, kind, title: `${name.toLowerCase()} ${what}`.trim() };
}

function inputOf(part: unknown): unknown {
  return isRecord(part) ? part['input'] : undefined;
}

function pathIn(input: unknown): string {
  return textIn(input, 'file_path') || textIn(input, 'notebook_path');
}

/** A tool of the gateway, as the gateway calls it. */
function ownName(name: string): string {
  return name.replace(/^mcp__skep__/, '');
}

type Result = Extract<SessionUpdate, { sessionUpdate: 'tool_call_update' }>;

function resultOf(part: unknown, { toolCallId, call }: { readonly toolCallId: string; readonly call: Call }): Result {
  const status = isRecord(part) && part['is_error'] === true ? 'failed' : 'completed';
  const texts = listIn(part, 'content').map(each => textIn(each, 'text'));
  const output = textIn(part, 'content') || texts.filter(text => text !== '').join('\n');
  // What was read is in the repository, and what was written too; only that it failed is worth a line.
  const isQuiet = kinds.get(call.name) !== undefined && status === 'completed';
  return { sessionUpdate: 'tool_call_update', toolCallId, status, output, ...(isQuiet ? { isQuiet } : {}) };
}

function tryingAgain(event: AgentEvent): SessionUpdate {
  const status = numberIn(event, 'error_status');
  return { sessionUpdate: 'agent_thought_chunk', text: `trying again: ${status === 0 ? 'no answer' : `status ${status}`}` };
}

/** A turn that a provider's error has ended calls itself a success, and says besides that it is an error. */
function failureOf(event: AgentEvent): string | undefined {
  const subtype = textIn(event, 'subtype');
  if (event['is_error'] !== true && subtype === 'success') return undefined;
  const errors = listIn(event, 'errors').filter(each => typeof each === 'string');
  return textIn(event, 'result') || errors.join('; ') || subtype || 'the turn ended without a reason';
}

function usage(counted: unknown): SessionUpdate {
  const inputs = ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'];
  const inputTokens = inputs.reduce((sum, name) => sum + numberIn(counted, name), 0);
  return { sessionUpdate: 'usage_update', inputTokens, outputTokens: numberIn(counted, 'output_tokens') };
}
