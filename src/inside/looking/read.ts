import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** The beginning of a regular file of text; undefined of any other. */
export function readText(path: string, max: number): string | undefined {
  try {
    // A link may lead anywhere, and a pipe would be waited for.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!fstatSync(descriptor).isFile()) return undefined;
      const bytes = Buffer.alloc(max);
      const size = readSync(descriptor, bytes, 0, max, 0);
      if (bytes.subarray(0, size).includes(0)) return undefined;
      // The last character may be cut in half.
      const text = bytes
        .subarray(0, size)
        .toString('utf8')
        .replace(/\ufffd$/, '');
      return size === max ? `${text}\n[…]` : text;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}
