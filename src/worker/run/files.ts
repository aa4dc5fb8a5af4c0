import { randomUUID } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file of the host that no agent can reach. It has no name, so nothing is left of it when the worker dies. */
export interface NamelessFile {
  readonly descriptor: number;
  /** Writes all of it before it returns: the next chunk waits, and memory holds one. */
  append(chunk: Uint8Array): void;
  close(): void;
}

export function openNameless(folder: string): NamelessFile {
  const path = join(folder, randomUUID());
  const descriptor = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  let isOpen = true;
  return {
    descriptor,
    append(chunk) {
      for (let offset = 0; offset < chunk.length; ) offset += writeSync(descriptor, chunk, offset);
    },
    close() {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    },
  };
}
