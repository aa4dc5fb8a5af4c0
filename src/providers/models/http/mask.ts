const mask = Buffer.from('[key]');
/** A shorter one is none that was given out, such as "none" for a server that wants any: it may be a word of an answer. */
const keyBytesMin = 16;

/** The bytes without the key, also where it is split; what is held back is only what may be its beginning. */
export async function* masked(body: AsyncIterable<Uint8Array>, key: string | null): AsyncGenerator<Uint8Array> {
  const secret = Buffer.from(key ?? '');
  if (secret.length < keyBytesMin) {
    yield* body;
    return;
  }
  let held: Uint8Array = new Uint8Array();
  for await (const chunk of body) {
    const bytes = without(secret, Buffer.concat([held, chunk]));
    const end = bytes.length - beginningAtEnd(secret, bytes);
    held = bytes.subarray(end);
    if (end > 0) yield bytes.subarray(0, end);
  }
  if (held.length > 0) yield held;
}

function without(secret: Buffer, bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(secret); at >= 0; at = bytes.indexOf(secret, from)) {
    parts.push(bytes.subarray(from, at), mask);
    from = at + secret.length;
  }
  return from === 0 ? bytes : Buffer.concat([...parts, bytes.subarray(from)]);
}

function beginningAtEnd(secret: Buffer, bytes: Buffer): number {
  for (let length = Math.min(bytes.length, secret.length - 1); length > 0; length--) {
    if (bytes.subarray(bytes.length - length).equals(secret.subarray(0, length))) return length;
  }
  return 0;
}
