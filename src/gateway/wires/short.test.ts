import { expect, test } from 'vitest';
import { wireAt } from '../../../test/harness/model-wires.ts';
import type { Wire } from '../model/wire.ts';
import { createFrames } from './frames.ts';
import { formats } from './index.ts';

const paths: Readonly<Record<Wire, string>> = {
  anthropic: '/v1/messages',
  chat: '/v1/chat/completions',
  responses: '/v1/responses',
  gemini: '/v1beta/models/m:streamGenerateContent',
};
const wires = Object.keys(paths) as Wire[];

function shortOf(wire: Wire, stop: 'end' | 'length' | 'refusal', body: object) {
  const said = { call: undefined, said: 'And then I', thought: undefined, id: '1', stop };
  const reader = formats[wire].createReader(body as Record<string, unknown>);
  createFrames(reader)(Buffer.from(wireAt(paths[wire]).events(said).join('')));
  return reader.short();
}

test.each(wires)('%s: an answer that is whole says whether it is finished', wire => {
  const body = { tools: [{ name: 'shell' }] };
  expect(shortOf(wire, 'end', body)).toBeUndefined();
  expect(shortOf(wire, 'length', body)).toBe('length');
  expect(shortOf(wire, 'refusal', body)).toBe('refusal');
  // A question beside the work.
  expect(shortOf(wire, 'length', {})).toBeUndefined();
});

test('answers in one piece say it too', () => {
  const body = { tools: [{ name: 'shell' }] };
  const wholes: Readonly<Record<Wire, readonly object[]>> = {
    anthropic: [
      { type: 'message', content: [], stop_reason: 'max_tokens' },
      { type: 'message', content: [], stop_reason: 'refusal' },
    ],
    chat: [
      { choices: [{ message: { content: 'And' }, finish_reason: 'length' }] },
      { choices: [{ message: { refusal: 'No.' }, finish_reason: 'stop' }] },
    ],
    responses: [
      { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output: [] },
      { status: 'completed', output: [{ type: 'message', content: [{ type: 'refusal', refusal: 'No.' }] }] },
    ],
    gemini: [
      { candidates: [{ content: { parts: [{ text: 'And' }] }, finishReason: 'MAX_TOKENS' }] },
      { promptFeedback: { blockReason: 'OTHER' } },
    ],
  };
  for (const wire of wires) {
    const shorts = wholes[wire].map(answer => {
      const reader = formats[wire].createReader(body);
      return [reader.whole(answer).kind, reader.short()];
    });
    expect([wire, shorts]).toEqual([
      wire,
      [
        ['terminal', 'length'],
        ['terminal', 'refusal'],
      ],
    ]);
  }
});
