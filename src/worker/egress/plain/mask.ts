import { Transform } from 'node:stream';

/** Takes a secret out of what passes, put by as many asterisks: lengths that were said stay true. */
export interface Mask {
  text(text: string): string;
  stream(): Transform;
}

/** What is shorter is found everywhere, and is no key. */
const secretMin = 6;

/** Of a header's value: the whole, and the key behind the word for its scheme; what a `Basic` one holds stands for itself too. */
export function maskOf(value: string): Mask {
  const [scheme = '', key = ''] = value.split(' ');
  const decoded = /^basic$/i.test(scheme) ? Buffer.from(key, 'base64').toString('utf8') : '';
  const secrets = [value, key, decoded, decoded.slice(decoded.indexOf(':') + 1)]
    .filter(word => word.length >= secretMin)
    .sort((one, other) => other.length - one.length);
  const needles = [...new Set(secrets)].map(secret => Buffer.from(secret));
  const longest = Math.max(1, ...needles.map(({ length }) => length));

  return {
    text: text => secrets.reduce((left, secret) => left.replaceAll(secret, '*'.repeat(secret.length)), text),
    stream() {
      let held = Buffer.alloc(0);
      return new Transform({
        transform(chunk: Buffer, _encoding, done) {
          const all = Buffer.concat([held, chunk]);
          for (const needle of needles) blot(all, needle);
          // The end may be the beginning of one.
          const sure = Math.max(0, all.length - longest + 1);
          held = all.subarray(sure);
          done(null, all.subarray(0, sure));
        },
        flush: done => done(null, held),
      });
    },
  };
}

function blot(bytes: Buffer, needle: Buffer): void {
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + needle.length)) {
    bytes.fill('*', at, at + needle.length);
  }
}
