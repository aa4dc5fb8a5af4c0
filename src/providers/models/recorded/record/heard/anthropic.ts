import { type Fields, fields, list, parsedArgs, text } from '../../conversation/fields.ts';
import type { Heard, Listener } from './heard.ts';

export const anthropicListener: Listener = {
  whole: ({ content, stop_reason: reason }) => heard(list(content), reason),
  stream(events) {
    if (!events.some(({ type }) => type === 'message_stop')) return undefined;
    const blocks = new Map<unknown, Fields>();
    const json = new Map<unknown, string>();
    for (const { type, index, content_block: block, delta } of events) {
      if (type === 'content_block_start') blocks.set(index, fields(block));
      if (type !== 'content_block_delta') continue;
      const { text: more, partial_json: part } = fields(delta);
      const present = blocks.get(index) ?? {};
      blocks.set(index, { ...present, ...(typeof more === 'string' ? { text: text(present['text']) + more } : {}) });
      json.set(index, (json.get(index) ?? '') + text(part));
    }
    const { delta } = events.findLast(({ type }) => type === 'message_delta') ?? {};
    const whole = [...blocks].map(([index, block]) => withInput(block, json.get(index) ?? ''));
    return heard(whole, fields(delta)['stop_reason']);
  },
};

function withInput(block: Fields, json: string): Fields {
  return block['type'] === 'tool_use' && json !== '' ? { ...block, input: parsedArgs(json) } : block;
}

function heard(blocks: readonly Fields[], stopReason: unknown): Heard | undefined {
  if (stopReason === 'max_tokens' || typeof stopReason !== 'string') return undefined;
  return {
    text: blocks
      .filter(({ type }) => type === 'text')
      .map(block => text(block['text']))
      .join(''),
    calls: blocks
      .filter(({ type }) => type === 'tool_use')
      .map(({ id, name, input }) => ({ id: text(id), name: text(name), args: fields(input) })),
  };
}
