import type { Conversation, Entry, OfferedTool, StructuredWish } from './conversation.ts';
import { bytesSince, count, type Fields, fields, list, parsedArgs, text, textOf } from './fields.ts';

/** Reads a request of the OpenAI Chat Completions wire. */
export function readChat(body: Fields, bytes: number): Conversation {
  const messages = list(body['messages']);
  return {
    entries: messages.flatMap(entries),
    tools: list(body['tools']).map(offered),
    structured: structured(fields(body['response_format'])),
    outputTokensMax: count(body['max_completion_tokens'], body['max_tokens']),
    wantsUsage: fields(body['stream_options'])['include_usage'] === true,
    newBytes: bytesSince(messages, ({ role }) => role === 'assistant') ?? bytes,
  };
}

function entries({ role, content, tool_calls: calls, tool_call_id: id }: Fields): Entry[] {
  const said = textOf(content);
  if (role === 'tool') return [{ kind: 'output', id: text(id), name: '', text: said }];
  if (role === 'user') return [{ kind: 'user', text: said }];
  if (role !== 'assistant') return [];
  return [...(said === '' ? [] : [{ kind: 'assistant' as const, text: said }]), ...list(calls).map(called)];
}

function called({ id, function: made }: Fields): Entry {
  const { name, arguments: args } = fields(made);
  return { kind: 'call', call: { id: text(id), name: text(name), args: parsedArgs(args) } };
}

function offered({ function: tool }: Fields): OfferedTool {
  const { name, parameters } = fields(tool);
  return { name: text(name), kind: 'function', schema: fields(parameters) };
}

function structured({ type, json_schema: named }: Fields): StructuredWish | null {
  if (type !== 'json_schema' && type !== 'json_object') return null;
  return { tool: null, schema: fields(fields(named)['schema']) };
}
