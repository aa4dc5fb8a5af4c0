import type { Conversation, Entry, OfferedTool, StructuredWish } from './conversation.ts';
import { bytesSince, count, type Fields, fields, list, text, textOf } from './fields.ts';

/** Reads a request of the Anthropic Messages wire. */
export function readAnthropic(body: Fields, bytes: number): Conversation {
  const messages = list(body['messages']);
  const tools = list(body['tools']).map(offered);
  return {
    entries: messages.flatMap(entries),
    tools: tools.filter(({ name }) => name !== structured(body, tools)?.tool),
    structured: structured(body, tools),
    outputTokensMax: count(body['max_tokens']),
    wantsUsage: true,
    newBytes: bytesSince(messages, ({ role }) => role === 'assistant') ?? bytes,
  };
}

function entries({ role, content }: Fields): Entry[] {
  const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : list(content);
  const said = textOf(blocks.filter(({ type }) => type === 'text'));
  const words: Entry[] = said === '' ? [] : [{ kind: role === 'assistant' ? 'assistant' : 'user', text: said }];
  if (role === 'assistant') return [...words, ...blocks.filter(({ type }) => type === 'tool_use').map(called)];
  return [...blocks.filter(({ type }) => type === 'tool_result').map(putOut), ...words];
}

function called({ id, name, input }: Fields): Entry {
  return { kind: 'call', call: { id: text(id), name: text(name), args: fields(input) } };
}

function putOut({ tool_use_id: id, content }: Fields): Entry {
  return { kind: 'output', id: text(id), name: '', text: textOf(content) };
}

function offered({ name, input_schema: schema }: Fields): OfferedTool {
  return { name: text(name), kind: 'function', schema: fields(schema) };
}

/** Models without structured output of their own are made to call a tool named json. */
function structured(body: Fields, tools: readonly OfferedTool[]): StructuredWish | null {
  const format = fields(fields(body['output_config'])['format'] ?? body['output_format']);
  if (format['type'] === 'json_schema') return { tool: null, schema: fields(format['schema']) };
  const choice = fields(body['tool_choice']);
  const isForced = choice['type'] === 'any' || (choice['type'] === 'tool' && choice['name'] === 'json');
  const tool = tools.find(({ name }) => name === 'json');
  return isForced && tool !== undefined ? { tool: tool.name, schema: tool.schema } : null;
}
