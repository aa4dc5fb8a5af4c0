import type { Conversation, Entry, OfferedTool, StructuredWish } from './conversation.ts';
import { bytesSince, count, type Fields, fields, list, text, textOf } from './fields.ts';

/** Reads a request of the Gemini generateContent wire. */
export function readGemini(body: Fields, bytes: number): Conversation {
  const contents = list(body['contents']);
  const config = fields(body['generationConfig']);
  return {
    entries: contents.flatMap(entries),
    tools: list(body['tools']).flatMap(({ functionDeclarations }) => list(functionDeclarations).map(offered)),
    structured: structured(config),
    outputTokensMax: count(config['maxOutputTokens']),
    wantsUsage: true,
    newBytes: bytesSince(contents, ({ role }) => role === 'model') ?? bytes,
  };
}

function entries({ role, parts: given }: Fields): Entry[] {
  const parts = list(given);
  const said = textOf(parts.filter(part => part['thought'] !== true && typeof part['text'] === 'string'));
  const words: Entry[] = said === '' ? [] : [{ kind: role === 'model' ? 'assistant' : 'user', text: said }];
  const calls = parts.filter(part => part['functionCall'] !== undefined).map(({ functionCall }) => called(fields(functionCall)));
  const outputs = parts
    .filter(part => part['functionResponse'] !== undefined)
    .map(({ functionResponse }) => putOut(fields(functionResponse)));
  return role === 'model' ? [...words, ...calls] : [...outputs, ...words];
}

function called({ id, name, args }: Fields): Entry {
  return { kind: 'call', call: { id: text(id), name: text(name), args: fields(args) } };
}

function putOut({ id, name, response }: Fields): Entry {
  const { output, result, error } = fields(response);
  const said = [output, result, error].filter(part => part !== undefined).map(part => textOf(part) || JSON.stringify(part));
  return {
    kind: 'output',
    id: text(id),
    name: text(name),
    text: said.length > 0 ? said.join('\n') : textOf(response) || JSON.stringify(response ?? ''),
  };
}

function offered({ name, parametersJsonSchema, parameters }: Fields): OfferedTool {
  return { name: text(name), kind: 'function', schema: fields(parametersJsonSchema ?? parameters) };
}

function structured(config: Fields): StructuredWish | null {
  const schema = config['responseJsonSchema'] ?? config['responseSchema'];
  if (schema === undefined && config['responseMimeType'] !== 'application/json') return null;
  return { tool: null, schema: fields(schema) };
}
