import type { Wire } from '../../../../gateway/upstream.ts';
import { readAnthropic } from './anthropic.ts';
import { readChat } from './chat.ts';
import type { Conversation } from './conversation.ts';
import { type Fields, fields } from './fields.ts';
import { readGemini } from './gemini.ts';
import { readResponses } from './responses.ts';

export type { Conversation, MadeCall, OfferedTool } from './conversation.ts';
export { progressOf } from './progress.ts';
export type { Progress } from './progress.ts';

const readers: Readonly<Record<Wire, (body: Fields, bytes: number) => Conversation>> = {
  anthropic: readAnthropic,
  chat: readChat,
  responses: readResponses,
  gemini: readGemini,
};

/** Throws SyntaxError where the body is no JSON. What is not as the wire has it counts as absent. */
export function readConversation(wire: Wire, body: string): Conversation {
  return readers[wire](fields(JSON.parse(body)), Buffer.byteLength(body));
}
