import type { SessionUpdate } from '../../../worker/agent.ts';
import { numberIn, textIn } from '../json-lines.ts';
import { beginsAnew } from '../outcome.ts';
import { createTranscript } from './events.ts';

type Event = Readonly<Record<string, unknown>>;

/** How a turn stands by what the client in the sandbox has told; `undefined`: it has not ended. */
export interface Turn {
  read(event: Event): readonly SessionUpdate[];
  /** What is left when the client has ended. */
  end(): readonly SessionUpdate[];
  readonly ending: Ending | undefined;
}

export type Ending =
  | { readonly kind: 'stopped'; readonly stopReason: string; readonly lastWords: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'died'; readonly signal: string }
  | { readonly kind: 'not_found' };

export function createTurn(): Turn {
  const transcript = createTranscript();
  let ending: Ending | undefined;
  return {
    get ending() {
      return ending;
    },
    end: transcript.end,
    read(event) {
      switch (event['event']) {
        case 'session':
          return event['begins'] === 'anew' ? [...transcript.end(), beginsAnew] : [];
        case 'update':
          return transcript.read(event['update']);
        case 'ended':
          ending = { kind: 'stopped', stopReason: textIn(event, 'stopReason'), lastWords: transcript.lastWords };
          return [...transcript.end(), usage(event)];
        case 'failed':
          ending = { kind: 'failed', message: textIn(event, 'message') || 'it gave no reason' };
          return [];
        case 'died':
          ending = { kind: 'died', signal: textIn(event, 'signal') };
          return [];
        case 'not_found':
          ending = { kind: 'not_found' };
          return [];
        default:
          return [];
      }
    },
  };
}

function usage(event: Event): SessionUpdate {
  const [inputTokens, outputTokens] = [numberIn(event, 'inputTokens'), numberIn(event, 'outputTokens')];
  return { sessionUpdate: 'usage_update', inputTokens, outputTokens };
}
