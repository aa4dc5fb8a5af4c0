import type { Wire } from '../../../../gateway/upstream.ts';
import { anthropicWriter } from './anthropic.ts';
import type { Writer } from './answer.ts';
import { chatWriter } from './chat.ts';
import { geminiWriter } from './gemini.ts';
import { responsesWriter } from './responses.ts';

export type { Answer, Writer } from './answer.ts';
export { tokens, usageOf, withinLimit } from './usage.ts';

export const writers: Readonly<Record<Wire, Writer>> = {
  anthropic: anthropicWriter,
  chat: chatWriter,
  responses: responsesWriter,
  gemini: geminiWriter,
};
