import { createParser } from 'eventsource-parser';
import type { Wire } from '../../../../../gateway/upstream.ts';
import { type Fields, fields } from '../../conversation/fields.ts';
import { anthropicListener } from './anthropic.ts';
import { chatListener } from './chat.ts';
import { geminiListener } from './gemini.ts';
import type { Heard, Listener } from './heard.ts';
import { responsesListener } from './responses.ts';

export type { Heard } from './heard.ts';

const listeners: Readonly<Record<Wire, Listener>> = {
  anthropic: anthropicListener,
  chat: chatListener,
  responses: responsesListener,
  gemini: geminiListener,
};

/** Reads a whole answer; undefined where it did not come to its end, or is not what the wire knows. */
export function hear(wire: Wire, isStream: boolean, answer: string): Heard | undefined {
  if (isStream) return listeners[wire].stream(eventsOf(answer));
  const document = parsed(answer);
  return document === undefined ? undefined : listeners[wire].whole(document);
}

function eventsOf(answer: string): Fields[] {
  const events: Fields[] = [];
  const parser = createParser({
    onEvent({ data }) {
      const event = parsed(data);
      if (event !== undefined) events.push(event);
    },
  });
  parser.feed(answer);
  return events;
}

function parsed(text: string): Fields | undefined {
  try {
    return fields(JSON.parse(text));
  } catch {
    return undefined;
  }
}
