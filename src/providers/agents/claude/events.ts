import type { SessionUpdate } from '../../../worker/agent.ts';
import { isRecord, listIn, numberIn, textIn } from '../json-lines.ts';
import type { AgentEvent, Turn } from '../turn.ts';

/** Calls of tools without a result yet. An agent that makes more at once has gone mad; then names of old ones are forgotten. */
const openCallsMax = 1_000;

export function createTurn(): Turn {
  const stands = { isCompleted: false, hasWorked: false, failure: undefined as string | undefined };
  const open = new Map<string, string>();

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
    open.set(textIn(part, 'id'), textIn(part, 'name'));
  }

  function answered(message: unknown): readonly SessionUpdate[] {
    return listIn(message, 'content').flatMap(part => {
      if (textIn(part, 'type') !== 'tool_result') return [];
      const toolCallId = textIn(part, 'tool_use_id');
      const name = open.get(toolCallId) ?? '';
      open.delete(toolCallId);
      return [resultOf(part, { toolCallId, name })];
    });
  }

  return Object.assign(stands, {
    read(event: AgentEvent): readonly SessionUpdate[] {
      switch (event['type']) {
        case 'assistant':
          return said(event['message']);
        case 'user':
          return answered(event['message']);
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

const kinds: Readonly<Record<string, 'edit' | 'read'>> = {
  ...{ Edit: 'edit', MultiEdit: 'edit', Write: 'edit', NotebookEdit: 'edit' },
  ...{ Read: 'read', Glob: 'read', Grep: 'read' },
};

function toolCall(part: unknown): SessionUpdate {
  const name = textIn(part, 'name');
  const input = isRecord(part) ? part['input'] : undefined;
  const call = { sessionUpdate: 'tool_call', toolCallId: textIn(part, 'id') } as const;
  if (name === 'Bash') return { ...call, kind: 'execute', title: textIn(input, 'command') };
  const kind = kinds[name];
  if (kind === undefined) return { ...call, kind: 'other', title: `${ownName(name)} ${JSON.stringify(input ?? {})}` };
  const what = textIn(input, 'file_path') || textIn(input, 'notebook_path') || textIn(input, 'pattern');
  return { ...call, kind, title: `${name.toLowerCase()} ${what}`.trim() };
}

/** A tool of the gateway, as the gateway calls it. */
function ownName(name: string): string {
  return name.replace(/^mcp__skep__/, '');
}

function resultOf(part: unknown, { toolCallId, name }: { readonly toolCallId: string; readonly name: string }): SessionUpdate {
  const status = isRecord(part) && part['is_error'] === true ? 'failed' : 'completed';
  const texts = listIn(part, 'content').map(each => textIn(each, 'text'));
  const output = textIn(part, 'content') || texts.filter(text => text !== '').join('\n');
  // What was read is in the repository, and what was written too; only that it failed is worth a line.
  const isKnown = kinds[name] !== undefined && status === 'completed';
  return { sessionUpdate: 'tool_call_update', toolCallId, status, output: isKnown ? '' : output };
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
