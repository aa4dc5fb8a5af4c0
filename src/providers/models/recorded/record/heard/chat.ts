import { type Fields, fields, list, parsedArgs, text } from '../../conversation/fields.ts';
import type { Heard, Listener } from './heard.ts';

export const chatListener: Listener = {
  whole({ choices }) {
    const { message, finish_reason: reason } = list(choices)[0] ?? {};
    const { content, tool_calls: calls } = fields(message);
    return heard(text(content), list(calls), reason);
  },
  stream(events) {
    const choices = events.flatMap(({ choices }) => list(choices));
    const deltas = choices.map(({ delta }) => fields(delta));
    const calls = new Map<unknown, Fields>();
    for (const part of deltas.flatMap(({ tool_calls: parts }) => list(parts))) {
      calls.set(part['index'], joined(calls.get(part['index']) ?? {}, part));
    }
    const reason = choices.map(({ finish_reason: reason }) => reason).find(reason => typeof reason === 'string');
    return heard(deltas.map(({ content }) => text(content)).join(''), [...calls.values()], reason);
  },
};

/** The first part of a call brings its id and name, all of them bring arguments. */
function joined(before: Fields, part: Fields): Fields {
  const [was, more] = [fields(before['function']), fields(part['function'])];
  return {
    id: before['id'] ?? part['id'],
    function: { name: was['name'] ?? more['name'], arguments: text(was['arguments']) + text(more['arguments']) },
  };
}

function heard(said: string, calls: readonly Fields[], reason: unknown): Heard | undefined {
  if (typeof reason !== 'string' || reason === 'length') return undefined;
  return {
    text: said,
    calls: calls.map(({ id, function: made }) => {
      const { name, arguments: args } = fields(made);
      return { id: text(id), name: text(name), args: parsedArgs(args) };
    }),
  };
}
