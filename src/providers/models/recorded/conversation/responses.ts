import type { Conversation, Entry, MadeCall, OfferedTool, StructuredWish } from './conversation.ts';
import { bytesSince, count, type Fields, fields, list, parsedArgs, text, textOf } from './fields.ts';

/** Reads a request of the OpenAI Responses wire. */
export function readResponses(body: Fields, bytes: number): Conversation {
  const { input } = body;
  const items = typeof input === 'string' ? [{ role: 'user', content: input }] : list(input);
  // Tools that were deferred come with the output of the search that found them.
  const found = items.filter(({ type }) => type === 'tool_search_output');
  return {
    entries: items.flatMap(entries),
    tools: [body, ...found].flatMap(({ tools }) => list(tools)).flatMap(tool => offered(tool)),
    structured: structured(fields(fields(body['text'])['format'])),
    outputTokensMax: count(body['max_output_tokens']),
    wantsUsage: true,
    newBytes: bytesSince(items, isAssistant) ?? bytes,
  };
}

function isAssistant({ type, role }: Fields): boolean {
  return role === 'assistant' || type === 'reasoning' || text(type).endsWith('_call');
}

function entries(item: Fields): Entry[] {
  const { type, role, content, call_id: id, output } = item;
  if (text(type).endsWith('_call')) return [{ kind: 'call', call: called(item) }];
  if (text(type).endsWith('_output')) return [{ kind: 'output', id: text(id), name: '', text: textOf(output) }];
  if (role !== 'user' && role !== 'assistant') return [];
  return [{ kind: role, text: textOf(content) }];
}

function called({ type, call_id: id, name, namespace, arguments: args, input, action }: Fields): MadeCall {
  return {
    id: text(id),
    // A search and a local shell are named by their type alone.
    name: text(name) || text(type).replace(/_call$/, ''),
    ...(typeof namespace === 'string' ? { namespace } : {}),
    args: argsOf(args, input, action),
  };
}

/** As JSON text, as JSON, as plain text of a tool without a schema, or as the action of a local shell. */
function argsOf(args: unknown, input: unknown, action: unknown): Fields {
  if (typeof args === 'string') return parsedArgs(args);
  if (args !== undefined) return fields(args);
  return typeof input === 'string' ? { input } : fields(action);
}

function offered(tool: Fields, namespace?: string): OfferedTool[] {
  const { type, name, parameters, tools } = tool;
  if (type === 'namespace') return list(tools).flatMap(inner => offered(inner, text(name)));
  if (type !== 'function' && type !== 'tool_search' && type !== 'local_shell') return [];
  return [
    {
      name: text(name) || type,
      ...(namespace === undefined ? {} : { namespace }),
      kind: type,
      schema: fields(parameters),
    },
  ];
}

function structured({ type, schema }: Fields): StructuredWish | null {
  return type === 'json_schema' || type === 'json_object' ? { tool: null, schema: fields(schema) } : null;
}
