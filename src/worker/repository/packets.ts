// Git's protocol: packets that begin with their own length in four hex digits. Lengths below 4 are marks without a text.

const flush = '0000';
const delimiter = '0001';
const headBytes = 4;
/** Of a packet of the pack: data, words for people, and why there is no more. */
const [data, words, failure] = [1, 2, 3];

export interface Ask {
  readonly wants: readonly string[];
  /** Whole here: what they lead to is left out. */
  readonly haves: readonly string[];
  readonly objectFormat: 'sha1' | 'sha256';
}

/** The one request of a fetch in which all is said: version 2 needs no listing of refs where commits are named. */
export function fetchRequest({ wants, haves, objectFormat }: Ask): string {
  return [
    ...[packet('command=fetch'), packet(`object-format=${objectFormat}`), delimiter],
    ...['thin-pack', 'no-progress', 'ofs-delta'].map(packet),
    ...wants.map(commit => packet(`want ${commit}`)),
    ...haves.map(commit => packet(`have ${commit}`)),
    ...[packet('done'), flush],
  ].join('');
}

function packet(text: string): string {
  return `${(text.length + 1 + headBytes).toString(16).padStart(headBytes, '0')}${text}\n`;
}

/** The pack in the answer. Throws where the answer holds anything else, such as where a history is cut, or is not whole. */
export async function* packIn(answer: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let isPack = false;
  for await (const packet of packetsOf(answer)) {
    const isFlush = packet === 'flush';
    if (isPack && isFlush) return;
    if (isPack && !isFlush && packet[0] === data) yield packet.subarray(1);
    else if (isPack && !isFlush && packet[0] === words) continue;
    else if (!isPack && !isFlush && packet.toString('latin1') === 'packfile\n') isPack = true;
    else throw new Error(isPack && !isFlush && packet[0] === failure ? 'the server could not make the pack' : notPlain);
  }
  throw new Error('the answer ended too early');
}

const notPlain = 'the answer is not a pack alone';

async function* packetsOf(answer: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer | 'flush'> {
  let left = Buffer.alloc(0);
  for await (const chunk of answer) {
    left = left.length === 0 ? Buffer.from(chunk) : Buffer.concat([left, chunk]);
    for (let length = lengthOf(left); length !== undefined && length <= left.length; length = lengthOf(left)) {
      if (length === 0) yield 'flush';
      else yield left.subarray(headBytes, length);
      left = left.subarray(Math.max(length, headBytes));
    }
  }
}

/** Undefined where it has not come yet. */
function lengthOf(bytes: Buffer): number | undefined {
  if (bytes.length < headBytes) return undefined;
  const digits = bytes.toString('latin1', 0, headBytes);
  const length = Number.parseInt(digits, 16);
  if (!/^[0-9a-f]{4}$/i.test(digits) || (length > 0 && length <= headBytes)) throw new Error(notPlain);
  return length;
}
