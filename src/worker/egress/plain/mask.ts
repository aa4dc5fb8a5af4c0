import { Transform } from 'node:stream';

/** Takes secrets out of what passes, put by as many asterisks: lengths that were said stay true. */
export interface Mask {
  text(text: string): string;
  /** For one stream of bytes, in which a secret may lie in two chunks. */
  open(): Veil;
  stream(): Transform;
}

export interface Veil {
  /** What can be shown of it, and of what was held back before: an end that may be the beginning of a secret is held back. */
  pass(chunk: Buffer): Buffer;
  /** What is still held back. */
  rest(): Buffer;
}

/** What is shorter is found everywhere, and is no key. */
const secretMin = 6;

/** Of a header's value: the whole, and the key behind the word for its scheme; what a `Basic` one holds stands for itself too. */
export function maskOf(value: string): Mask {
  return maskOfAll(secretsIn(value));
}

/** The secrets that the value of a header holds. */
export function secretsIn(value: string): readonly string[] {
  const [scheme = '', key = ''] = value.split(' ');
  const decoded = /^basic$/i.test(scheme) ? Buffer.from(key, 'base64').toString('utf8') : '';
  return [value, key, decoded, decoded.slice(decoded.indexOf(':') + 1)];
}

export function maskOfAll(words: readonly string[]): Mask {
  const secrets = [...new Set(words)].filter(word => word.length >= secretMin).sort((one, other) => other.length - one.length);
  const needles = secrets.map(secret => Buffer.from(secret));
  const longest = Math.max(1, ...needles.map(({ length }) => length));

  function open(): Veil {
    // The bytes as they came tell what is still to be found; those that were found are blotted out beside them.
    let raw = Buffer.alloc(0);
    let shown = Buffer.alloc(0);
    return {
      pass(chunk) {
        raw = Buffer.concat([raw, chunk]);
        shown = Buffer.concat([shown, chunk]);
        for (const needle of needles) blot(needle, { raw, shown });
        const sure = raw.length - heldOf(raw);
        const passed = shown.subarray(0, sure);
        raw = raw.subarray(sure);
        shown = shown.subarray(sure);
        return passed;
      },
      rest() {
        const passed = shown;
        raw = Buffer.alloc(0);
        shown = raw;
        return passed;
      },
    };
  }

  /** How many bytes at the end may be the beginning of a secret. */
  function heldOf(bytes: Buffer): number {
    for (let at = Math.max(0, bytes.length - longest + 1); at < bytes.length; at += 1)
      if (needles.some(needle => mayBeginAt(at, { bytes, needle }))) return bytes.length - at;
    return 0;
  }

  return {
    text: text => secrets.reduce((left, secret) => left.replaceAll(secret, '*'.repeat(secret.length)), text),
    open,
    stream() {
      const veil = open();
      return new Transform({
        transform: (chunk: Buffer, _encoding, done) => done(null, veil.pass(chunk)),
        flush: done => done(null, veil.rest()),
      });
    },
  };
}

function mayBeginAt(at: number, { bytes, needle }: { bytes: Buffer; needle: Buffer }): boolean {
  const length = bytes.length - at;
  // Its first letter is seen before anything is made.
  return bytes[at] === needle[0] && length < needle.length && bytes.compare(needle, 0, length, at) === 0;
}

function blot(needle: Buffer, { raw, shown }: { raw: Buffer; shown: Buffer }): void {
  for (let at = raw.indexOf(needle); at >= 0; at = raw.indexOf(needle, at + 1)) shown.fill('*', at, at + needle.length);
}
