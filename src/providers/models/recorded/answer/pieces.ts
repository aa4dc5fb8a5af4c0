/** As long as the deltas that providers send; a long text gets longer ones, so that it has at most this many. */
const pieceLength = 16;
const pieceCountMax = 256;

/** A text in the pieces in which it is streamed. None ends in the middle of a character that takes two code units. */
export function* pieces(text: string): Generator<string> {
  const length = Math.max(pieceLength, Math.ceil(text.length / pieceCountMax));
  let start = 0;
  while (start < text.length) {
    let end = Math.min(text.length, start + length);
    if (end < text.length && /[\ud800-\udbff]/.test(text.charAt(end - 1))) end += 1;
    yield text.slice(start, end);
    start = end;
  }
}

/** An event of a stream as server-sent events have it. */
export function event(data: object, name?: string): string {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
}
