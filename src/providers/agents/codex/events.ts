import type { SessionUpdate } from '../../../worker/agent.ts';
import { isRecord, listIn, numberIn, textIn } from '../json-lines.ts';
import type { AgentEvent, Turn } from '../turn.ts';

export function createTurn(): Turn {
  const stands = { isCompleted: false, hasWorked: false, failure: undefined as string | undefined };
  return Object.assign(stands, {
    read(event: AgentEvent): readonly SessionUpdate[] {
      switch (event['type']) {
        case 'turn.completed':
          stands.isCompleted = true;
          stands.failure = undefined;
          return [usage(event['usage'])];
        case 'turn.failed':
          stands.isCompleted = false;
          stands.failure = textIn(event['error'], 'message') || 'the turn failed without a reason';
          return [];
        case 'error':
          // It may go on: codex says so of connections that it makes again.
          stands.failure = textIn(event, 'message');
          return [{ sessionUpdate: 'agent_thought_chunk', text: stands.failure }];
        case 'item.started':
          stands.hasWorked ||= isWork(event['item']);
          return begun(event['item']);
        case 'item.completed':
          stands.hasWorked ||= isWork(event['item']);
          return ended(event['item']);
        default:
          return [];
      }
    },
  });
}

function isWork(item: unknown): boolean {
  return textIn(item, 'type') !== 'error';
}

function usage(counted: unknown): SessionUpdate {
  const [inputTokens, outputTokens] = [numberIn(counted, 'input_tokens'), numberIn(counted, 'output_tokens')];
  return { sessionUpdate: 'usage_update', inputTokens, outputTokens };
}

function begun(item: unknown): readonly SessionUpdate[] {
  const toolCallId = textIn(item, 'id');
  switch (textIn(item, 'type')) {
    case 'command_execution': {
      const command = textIn(item, 'command');
      return [{ sessionUpdate: 'tool_call', toolCallId, kind: 'execute', title: commandOf(command), input: { command } }];
    }
    case 'mcp_tool_call':
      return [{ sessionUpdate: 'tool_call', toolCallId, kind: 'other', title: textIn(item, 'tool'), ...inputOf(item) }];
    default:
      return [];
  }
}

function ended(item: unknown): readonly SessionUpdate[] {
  const toolCallId = textIn(item, 'id');
  const status = textIn(item, 'status') === 'completed' ? 'completed' : 'failed';
  switch (textIn(item, 'type')) {
    case 'agent_message':
      return [{ sessionUpdate: 'agent_message_chunk', text: textIn(item, 'text') }];
    case 'reasoning':
      return [{ sessionUpdate: 'agent_thought_chunk', text: textIn(item, 'text') }];
    // Codex says here what it would like to be otherwise; what ends a turn comes as an event of its own.
    case 'error':
      return [{ sessionUpdate: 'agent_thought_chunk', text: textIn(item, 'message') }];
    case 'command_execution':
      return [{ sessionUpdate: 'tool_call_update', toolCallId, status, output: textIn(item, 'aggregated_output') }];
    case 'mcp_tool_call':
      return [{ sessionUpdate: 'tool_call_update', toolCallId, status, output: answerOf(item) }];
    case 'file_change':
      return [
        {
          sessionUpdate: 'tool_call',
          toolCallId,
          kind: 'edit',
          title: titleOf(item),
          input: { changes: listIn(item, 'changes') },
        },
        ...(status === 'completed' ? changesOf(item) : []),
        { sessionUpdate: 'tool_call_update', toolCallId, status, output: '' },
      ];
    default:
      return [];
  }
}

/** Codex wraps each command into a login shell, as one word with quotes; people want to see the command. */
function commandOf(command: string): string {
  const [, quoted] = /^\/(?:usr\/)?bin\/(?:ba)?sh -lc ([^]*)$/.exec(command) ?? [];
  if (quoted === undefined || !/^(?:'[^']*'|"(?:[^"\\]|\\[^])*"|\\[^]|[^\s'"\\])+$/.test(quoted)) return command;
  return quoted.replaceAll(
    /'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])/g,
    (_: string, ...[single, double, one]: readonly (string | undefined)[]) =>
      single ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? one ?? '',
  );
}

function inputOf(item: unknown): { readonly input?: unknown } {
  const input = isRecord(item) ? item['arguments'] : undefined;
  return input === undefined || input === null ? {} : { input };
}

function answerOf(item: unknown): string {
  const { error, result } = isRecord(item) ? item : {};
  const texts = listIn(result, 'content').map(part => textIn(part, 'text'));
  return textIn(error, 'message') || texts.filter(text => text !== '').join('\n');
}

function titleOf(item: unknown): string {
  const changes = listIn(item, 'changes').map(change => `${textIn(change, 'kind') || 'change'} ${textIn(change, 'path')}`);
  return changes.join('\n') || 'change files';
}

const changes = new Map<string, 'added' | 'deleted'>([
  ['add', 'added'],
  ['delete', 'deleted'],
]);

function changesOf(item: unknown): readonly SessionUpdate[] {
  const toolCallId = textIn(item, 'id');
  return listIn(item, 'changes').map(each => ({
    sessionUpdate: 'file_change',
    ...{ toolCallId, path: textIn(each, 'path'), change: changes.get(textIn(each, 'kind')) ?? 'modified' },
  }));
}
