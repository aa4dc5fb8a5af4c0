import type { Conversation } from '../conversation/index.ts';
import type { Reply } from '../play/reply.ts';

/** Tokens of an answer, made of the real sizes of what was asked and answered. */
export interface Usage {
  /** With those that are cached. */
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

/** What models of today take on the average for one token of English and code. */
const charactersPerToken = 4;

/** An upper bound for nothing: a figure of the right size that is the same each time. */
export function tokens(size: number): number {
  return Math.ceil(size / charactersPerToken);
}

/** What was in the last request of the same conversation counts as cached, as providers would have it. */
export function usageOf(body: string, conversation: Conversation, reply: Reply): Usage {
  const bytes = Buffer.byteLength(body);
  return {
    inputTokens: tokens(bytes),
    cachedTokens: tokens(Math.max(0, bytes - conversation.newBytes)),
    outputTokens: tokens(sizeOf(reply)),
  };
}

function sizeOf({ text, call }: Reply): number {
  return text.length + (call === null ? 0 : call.name.length + JSON.stringify(call.args).length);
}

/** The answer within a limit: a model that has used up its tokens stops where it is, and half a call is none. */
export function withinLimit(reply: Reply, outputTokensMax: number | null): { readonly reply: Reply; readonly isCutOff: boolean } {
  if (outputTokensMax === null || tokens(sizeOf(reply)) <= outputTokensMax) return { reply, isCutOff: false };
  const text = reply.text.slice(0, outputTokensMax * charactersPerToken);
  return { reply: { ...reply, text: text.replace(/[\ud800-\udbff]$/, ''), call: null }, isCutOff: true };
}
