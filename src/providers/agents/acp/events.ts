import type { SessionUpdate } from '../../../worker/agent.ts';
import { isRecord, textIn } from '../json-lines.ts';
import { createCalls } from './calls.ts';

/** Turns what an agent sends as session/update into updates of ours, of which each is whole. */
export interface Transcript {
  read(update: unknown): readonly SessionUpdate[];
  /** What is left when the turn is over. */
  end(): readonly SessionUpdate[];
  /** The last words of the agent, so far as they came after all else. */
  readonly lastWords: string;
}

type ChunkKind = 'agent_message_chunk' | 'agent_thought_chunk';

/** Of words that come without an end of a line. */
const wordsMax = 16_384;
const lastWordsMax = 4_000;

export function createTranscript(): Transcript {
  const calls = createCalls();
  let chunk: ChunkKind = 'agent_message_chunk';
  let words = '';
  let lastWords = '';

  /** Words come in pieces; they are told line by line. */
  function say(kind: ChunkKind, text: string): readonly SessionUpdate[] {
    const before = kind === chunk ? [] : flush();
    chunk = kind;
    words += text;
    lastWords = kind === 'agent_message_chunk' ? (lastWords + text).slice(-lastWordsMax) : '';
    // Not within a word, which may be what must not be shown.
    const at = words.length > wordsMax ? words.search(/\s\S*$/) + 1 || words.length : words.lastIndexOf('\n') + 1;
    const whole = words.slice(0, at);
    words = words.slice(at);
    return whole.trim() === '' ? before : [...before, { sessionUpdate: kind, text: whole }];
  }

  function flush(): readonly SessionUpdate[] {
    const text = words;
    words = '';
    return text.trim() === '' ? [] : [{ sessionUpdate: chunk, text }];
  }

  return {
    get lastWords() {
      return lastWords;
    },
    read(update) {
      if (!isRecord(update)) return [];
      switch (update['sessionUpdate']) {
        case 'agent_message_chunk':
        case 'agent_thought_chunk':
          return say(update['sessionUpdate'], textIn(update['content'], 'text'));
        case 'tool_call':
        case 'tool_call_update':
          lastWords = '';
          return [...flush(), ...calls.read(update)];
        default:
          return [];
      }
    },
    end: () => [...flush(), ...calls.end()],
  };
}
