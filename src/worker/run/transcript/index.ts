import { transcriptBytesMax, transcriptEventsMax, transcriptTextCharactersMax } from '../../../../contract/talk/transcript.ts';
import type { TranscriptEvent } from '../../../../contract/talk/transcript.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { SessionUpdate } from '../../agent.ts';
import type { Output } from '../output.ts';
import { eventOf } from './event.ts';

/** What the agent of a run does, on its way to the server as events. */
export interface Transcript {
  /** Never waits. */
  add(update: SessionUpdate): void;
  /** As `end` of an output: resolves when the server has it, or never will. */
  end(): Promise<void>;
}

interface TranscriptOptions {
  readonly output: Pick<Output, 'write' | 'end'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly eventsMax?: number;
  readonly bytesMax?: number;
}

type Words = Extract<SessionUpdate, { sessionUpdate: 'agent_message_chunk' | 'agent_thought_chunk' }>;

/** For the event that says that the rest was not kept. */
const cutBytes = 1_000;

/** Words come line by line; lines that follow each other are one event. What comes beyond a maximum is told once, and not kept. */
export function createTranscript({
  output,
  clock,
  eventsMax = transcriptEventsMax,
  bytesMax = transcriptBytesMax,
}: TranscriptOptions): Transcript {
  let open: { readonly words: Words; readonly at: string } | undefined;
  let events = 0;
  let bytes = 0;
  let isCut = false;

  function add(update: SessionUpdate): void {
    const at = new Date(clock.now()).toISOString();
    const isWords = update.sessionUpdate === 'agent_message_chunk' || update.sessionUpdate === 'agent_thought_chunk';
    if (isWords && open !== undefined && goesOn(open.words, update)) {
      open = { ...open, words: { ...open.words, text: open.words.text + update.text } };
      return;
    }
    close();
    if (isWords) open = { words: update, at };
    else keep(eventOf(update, at));
  }

  function close(): void {
    if (open !== undefined) keep(eventOf(open.words, open.at));
    open = undefined;
  }

  function keep(event: TranscriptEvent | undefined): void {
    if (event === undefined || isCut) return;
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    isCut = events + 1 >= eventsMax || bytes + line.length + cutBytes > bytesMax;
    if (!isCut) return write(line);
    const text = `The rest was not kept: the transcript of a run has at most ${eventsMax} events and ${bytesMax} bytes`;
    write(Buffer.from(`${JSON.stringify({ type: 'cut', at: event.at, text } satisfies TranscriptEvent)}\n`));
  }

  function write(line: Buffer): void {
    events += 1;
    bytes += line.length;
    output.write(line);
  }

  return {
    add,
    end() {
      close();
      return output.end();
    },
  };
}

/** What would be cut is told in several events instead. */
function goesOn(before: Words, { sessionUpdate, text }: Words): boolean {
  const isRoom = before.text.length + text.length <= transcriptTextCharactersMax;
  return isRoom && before.sessionUpdate === sessionUpdate && before.text.endsWith('\n');
}
