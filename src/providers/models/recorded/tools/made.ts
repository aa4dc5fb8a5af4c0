import type { OfferedTool } from '../conversation/index.ts';
import { RecordingMismatch } from '../play/mismatch.ts';
import { fields } from '../conversation/fields.ts';

/** A call as it goes out on a wire. */
export interface ToolCall {
  readonly kind: OfferedTool['kind'];
  readonly name: string;
  readonly namespace?: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** What a step can be carried out with. */
export interface Workbench {
  /** The agent's kind, for messages. */
  readonly agent: string;
  readonly tools: readonly OfferedTool[];
  /** The agent's working directory, where it has said it: some tools take absolute paths alone. */
  readonly cwd: string | null;
  /** Tools were searched for since the last step; who has not found them will not find them. */
  readonly hasSearched: boolean;
}

/** The first of these names that the agent offers. */
export function offeredAs(tools: readonly OfferedTool[], names: readonly string[]): OfferedTool | undefined {
  return names.map(name => tools.find(tool => tool.name === name)).find(tool => tool !== undefined);
}

/** The first of these names that the tool's schema has. */
export function parameter(tool: OfferedTool, names: readonly string[]): string | undefined {
  const properties = fields(tool.schema['properties']);
  return names.find(name => properties[name] !== undefined);
}

/** A call of a tool; what its schema requires beyond `args` gets a value of its type. */
export function callOf(tool: OfferedTool, args: Readonly<Record<string, unknown>>): ToolCall {
  const { required } = tool.schema;
  const missing = (Array.isArray(required) ? required : []).filter(
    (name): name is string => typeof name === 'string' && !(name in args),
  );
  const properties = fields(tool.schema['properties']);
  const filled = Object.fromEntries(missing.map(name => [name, blank(fields(properties[name]))]));
  return {
    kind: tool.kind,
    name: tool.name,
    ...(tool.namespace === undefined ? {} : { namespace: tool.namespace }),
    args: { ...args, ...filled },
  };
}

export function notOffered(bench: Workbench, wanted: string): RecordingMismatch {
  const names = bench.tools.map(({ name }) => name).slice(0, namesShownMax);
  const offer = names.length === 0 ? 'no tools at all' : names.join(', ');
  return new RecordingMismatch(
    `The recording wants to ${wanted}, and the agent (${bench.agent}) has no tool for that; it offers ${offer}. ` +
      'Play it with another agent, or make a new recording with this one: skep record',
  );
}

const namesShownMax = 20;

/** A value that a schema takes and that means nothing. */
export function blank(schema: Readonly<Record<string, unknown>>, depth = 0): unknown {
  const { type, enum: choices, properties, required } = schema;
  if (Array.isArray(choices) && choices.length > 0) return choices[0] as unknown;
  const kind: unknown = Array.isArray(type) ? type[0] : type;
  switch (typeof kind === 'string' ? kind.toLowerCase() : '') {
    case 'boolean':
      return false;
    case 'number':
    case 'integer':
      return 0;
    case 'array':
      return [];
    case 'null':
      return null;
    case 'object':
      return blankObject(fields(properties), required, depth);
    default:
      return 'recorded demo';
  }
}

const depthMax = 8;

function blankObject(properties: Readonly<Record<string, unknown>>, required: unknown, depth: number): object {
  if (depth > depthMax || !Array.isArray(required)) return {};
  const names = required.filter(name => typeof name === 'string');
  return Object.fromEntries(names.map(name => [name, blank(fields(properties[name]), depth + 1)]));
}
