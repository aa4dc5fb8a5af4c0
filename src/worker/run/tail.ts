/** The end of a stream, in memory that stays below twice its size. */
export interface Tail {
  add(chunk: Buffer): void;
  /** The last bytes. */
  bytes(): Buffer;
}

export function createTail(bytesMax: number): Tail {
  let parts: Buffer[] = [];
  let size = 0;

  function compact(): Buffer {
    const kept = Buffer.concat(parts).subarray(-bytesMax);
    parts = [kept];
    size = kept.length;
    return kept;
  }

  return {
    add(chunk) {
      const part = chunk.subarray(-bytesMax);
      parts.push(part);
      size += part.length;
      if (size > 2 * bytesMax) compact();
    },
    bytes: compact,
  };
}
