import { type Fields, fieldsOf, listOf, textOf } from '../model/json.ts';

/**
 * What a provider would do by itself for a request: run tools of its own, fetch what stands at an address, ask other models. All of it is
 * a way past the sandbox, which has no other network than the gateway, and most of it has a price that no usage tells. Each function says
 * in a sentence why a request is refused; undefined where it is not.
 */
export function refuseFields(body: Fields, names: readonly string[]): string | undefined {
  const found = names.find(name => holdsSomething(body[name]));
  return found === undefined
    ? undefined
    : `The provider would do by itself, past the sandbox and its budget, what "${found}" asks for: leave it out`;
}

/** `kindOf`: what a tool is called that is not the client's own to run. */
export function refuseTools(tools: unknown, kindOf: (tool: Fields) => string | undefined): string | undefined {
  const found = listOf(tools)
    .map(tool => kindOf(fieldsOf(tool) ?? {}))
    .find(kind => kind !== undefined);
  return found === undefined
    ? undefined
    : `The provider would run the tool "${shown(found)}" by itself, past the sandbox and its budget: leave it out`;
}

/** Messages in whatever wire: what stands in them must have come with them. */
export function refuseFetched(...messages: readonly unknown[]): string | undefined {
  const found = messages.map(each => fetched(each, 0)).find(each => each !== undefined);
  return found === undefined
    ? undefined
    : `The provider would fetch "${shown(found)}" by itself, which the gateway can neither allow nor count: send what stands there`;
}

function fetched(value: unknown, depth: number): string | undefined {
  if (depth > partDepthMax) return 'what is nested too deep';
  if (Array.isArray(value)) return first(value, item => fetched(item, depth + 1));
  const part = fieldsOf(value);
  if (part === undefined) return undefined;
  if (part['type'] === 'item_reference' || part['type'] === 'container_upload') return part['type'];
  const address = first(addresses, name => addressIn(part[name]));
  return address ?? first(inner, name => fetched(part[name], depth + 1));
}

/** Bytes that come along stand in data: addresses. */
function addressIn(value: unknown): string | undefined {
  const text = textOf(value);
  return text === undefined || /^data:/i.test(text) ? undefined : text;
}

const addresses = ['url', 'image_url', 'video_url', 'audio_url', 'file_url', 'file_id', 'fileUri', 'file_uri'];
/** Where parts of a message have parts; never what a model gave to a tool, or a tool gave back as an object of its own. */
const inner = [
  ...['content', 'output', 'parts', 'source', 'file', 'image_url', 'video_url', 'audio_url', 'image'],
  ...['fileData', 'file_data', 'functionResponse', 'function_response'],
];
/** Messages, a result of a tool in one, a document in it, its parts and their source come to ten. */
const partDepthMax = 20;

function first<T>(values: readonly T[], find: (value: T) => string | undefined): string | undefined {
  for (const value of values) {
    const found = find(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

function holdsSomething(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== false && value !== '';
}

function shown(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100)}…`;
}
