import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { AnswerReader, Seen } from './format.ts';

/** One event of a stream as it came, with what the wire makes of it. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly seen: Seen;
}

/** An event is at most the whole answer again, as the last one of Responses is. */
const frameBytesMax = 16 * 1_048_576;

/**
 * Cuts a stream into whole events. Half an event is of no use to any client, and what was not passed on can still be followed by an error
 * in the wire's own words; so an event is passed on with its last byte, and not before. Throws RangeError for one that does not end.
 */
export function createFrames(reader: AnswerReader): (chunk: Uint8Array) => Frame[] {
  const decoder = new TextDecoder();
  let seen: Seen = { kind: 'idle' };
  const parser = createParser({
    onEvent(event: EventSourceMessage) {
      const next = reader.event(event);
      if (seen.kind !== 'error') seen = next;
    },
  });
  const waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let lineLength = 0;

  function read(bytes: Uint8Array): Frame {
    seen = { kind: 'idle' };
    parser.feed(decoder.decode(bytes));
    return { bytes, seen };
  }

  /** One past the next byte that ends a blank line; lines end with LF or CRLF, as every provider writes them. */
  function endOfEvent(chunk: Uint8Array, from: number): number | undefined {
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === lineFeed) {
        if (lineLength === 0) return i + 1;
        lineLength = 0;
      } else if (byte !== carriageReturn) lineLength++;
    }
    return undefined;
  }

  return chunk => {
    const frames: Frame[] = [];
    let start = 0;
    for (let end = endOfEvent(chunk, start); end !== undefined; end = endOfEvent(chunk, start)) {
      frames.push(read(joined(waiting.splice(0), chunk.subarray(start, end))));
      waitingBytes = 0;
      start = end;
    }
    if (start < chunk.length) {
      waiting.push(chunk.subarray(start));
      waitingBytes += chunk.length - start;
    }
    if (waitingBytes > frameBytesMax) throw new RangeError(`an event of more than ${frameBytesMax} bytes`);
    return frames;
  };
}

const lineFeed = 10;
const carriageReturn = 13;

function joined(parts: readonly Uint8Array[], last: Uint8Array): Uint8Array {
  return parts.length === 0 ? last : Buffer.concat([...parts, last]);
}
