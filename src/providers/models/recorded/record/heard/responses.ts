import { readConversation } from '../../conversation/index.ts';
import { fields, list } from '../../conversation/fields.ts';
import type { Heard, Listener } from './heard.ts';

export const responsesListener: Listener = {
  whole({ status, output }) {
    return status === 'completed' ? heard(list(output)) : undefined;
  },
  stream(events) {
    if (!events.some(({ type }) => type === 'response.completed')) return undefined;
    // Some providers leave the output out of the last event; each item has been said in full before.
    return heard(events.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => fields(item)));
  },
};

/** The items of an answer are those of the next request, and are read as these. */
function heard(items: readonly object[]): Heard {
  const { entries } = readConversation('responses', JSON.stringify({ input: items }));
  return {
    text: entries.flatMap(entry => (entry.kind === 'assistant' ? [entry.text] : [])).join('\n'),
    calls: entries.flatMap(entry => (entry.kind === 'call' ? [entry.call] : [])),
  };
}
