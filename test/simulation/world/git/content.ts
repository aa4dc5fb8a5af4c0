import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

/** Bytes that pass as a stream where the product's ports say so: the fakes on both sides take them out as they are. */
export class Content extends Readable {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    super();
    this.bytes = bytes;
  }

  override _read(): void {
    this.push(this.bytes);
    this.push(null);
  }
}

export function bytesOf(source: Readable): Buffer {
  if (source instanceof Content) return source.bytes;
  throw new Error('the simulated world knows no streams but its own');
}

/** What a fake bundle holds. */
export interface Bundle {
  readonly branch: string;
  readonly head: string;
  readonly commits: readonly string[];
}

const firstLine = '# v2 git bundle\n';

export function writeBundle(bundle: Bundle): Buffer {
  return Buffer.from(firstLine + JSON.stringify(bundle));
}

/** Undefined for what is none. */
export function readBundle(bytes: Buffer): Bundle | undefined {
  const text = bytes.toString();
  if (!text.startsWith(firstLine)) return undefined;
  try {
    return JSON.parse(text.slice(firstLine.length)) as Bundle;
  } catch {
    return undefined;
  }
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
