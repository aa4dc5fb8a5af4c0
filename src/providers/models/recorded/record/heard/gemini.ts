import { type Fields, fields, list, text } from '../../conversation/fields.ts';
import type { Heard, Listener } from './heard.ts';

export const geminiListener: Listener = {
  whole: document => heard([document]),
  stream: heard,
};

function heard(chunks: readonly Fields[]): Heard | undefined {
  const candidates = chunks.map(({ candidates }) => list(candidates)[0] ?? {});
  const reason = candidates.map(({ finishReason }) => finishReason).find(reason => typeof reason === 'string');
  if (reason !== 'STOP') return undefined;
  const parts = candidates.flatMap(({ content }) => list(fields(content)['parts'])).filter(({ thought }) => thought !== true);
  return {
    text: parts.map(part => text(part['text'])).join(''),
    calls: parts
      .filter(part => part['functionCall'] !== undefined)
      .map(part => {
        const { id, name, args } = fields(part['functionCall']);
        return { id: text(id), name: text(name), args: fields(args) };
      }),
  };
}
