/** What a program says first of all where it begins to speak TLS. */
export type Hello =
  | { readonly kind: 'hello'; readonly serverName: string | undefined }
  /** There is more to come. */
  | { readonly kind: 'part' }
  /** It is not TLS, or says more than one name. */
  | { readonly kind: 'other' };

/** The largest that clients send has 2 KiB, with keys that withstand quantum computers. */
const helloBytesMax = 16_384;

const part: Hello = { kind: 'part' };
const other: Hello = { kind: 'other' };

/** Reads the ClientHello at the beginning of a connection, also where it comes in several records. */
export function readHello(bytes: Buffer): Hello {
  const records = handshakeOf(bytes);
  if (records === undefined) return other;
  const { message, isOpen } = records;
  if (message.length > 0 && message[0] !== 1) return other;
  const length = message.length < 4 ? undefined : message.readUIntBE(1, 3);
  if (length !== undefined && length > helloBytesMax) return other;
  if (length === undefined || message.length < 4 + length) return isOpen && bytes.length < helloBytesMax ? part : other;
  return namesIn(message.subarray(4, 4 + length));
}

/** What the records hold together; undefined where they are none of a handshake. */
function handshakeOf(bytes: Buffer): { message: Buffer; isOpen: boolean } | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== 0x16 || (bytes[at + 1] ?? 3) !== 3) return parts.length > 0 ? closed(parts) : undefined;
    if (bytes.length < at + 5) break;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > helloBytesMax) return undefined;
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return { message: Buffer.concat(parts), isOpen: true };
}

/** Something else follows on what is there. */
function closed(parts: readonly Buffer[]): { message: Buffer; isOpen: boolean } {
  return { message: Buffer.concat(parts), isOpen: false };
}

/** Version and random come before what has a length of its own: session, ciphers, compression, extensions. */
const fixedBytes = 2 + 32;
const serverNameExtension = 0;

function namesIn(hello: Buffer): Hello {
  try {
    let at = fixedBytes;
    at += 1 + hello.readUInt8(at);
    at += 2 + hello.readUInt16BE(at);
    at += 1 + hello.readUInt8(at);
    if (at === hello.length) return { kind: 'hello', serverName: undefined };
    const end = at + 2 + hello.readUInt16BE(at);
    if (end !== hello.length) return other;
    const found: Buffer[] = [];
    for (at += 2; at < end; ) {
      const length = hello.readUInt16BE(at + 2);
      if (at + 4 + length > end) return other;
      if (hello.readUInt16BE(at) === serverNameExtension) found.push(hello.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    const [list, second] = found;
    if (second !== undefined) return other;
    return list === undefined ? { kind: 'hello', serverName: undefined } : nameIn(list);
  } catch {
    // Shorter than its own lengths say.
    return other;
  }
}

/** A list of one name of a host: length of the list, type 0, length, name. */
function nameIn(list: Buffer): Hello {
  const length = list.readUInt16BE(3);
  const isOne = list.readUInt16BE(0) === list.length - 2 && list.readUInt8(2) === 0 && list.length === 5 + length;
  return isOne && length > 0 ? { kind: 'hello', serverName: list.toString('latin1', 5) } : other;
}
