import type { Readable } from 'node:stream';

/** The port to where bundles, and later transcripts and artifacts, are kept: a folder, or an S3-compatible store. */
export interface BlobStore {
  /** Takes in a stream of at most `bytesMax`; nothing is kept until `keep`. Throws Fault `too_large`, `disk_full`. */
  receive(source: Readable, bytesMax: number): Promise<ReceivedBlob>;
  /** The content of a kept blob. Throws Fault `blob_not_found`. */
  read(sha256: string): Promise<Readable>;
}

export interface ReceivedBlob {
  readonly sha256: string;
  readonly size: number;
  /** The first bytes, at most 64, to recognise the format by. */
  readonly head: Buffer;
  /** Makes it durable under its hash; a second keep of the same content is one blob. */
  keep(): Promise<void>;
  /** Lets go of it when it was not kept. Safe to call after keep. */
  discard(): Promise<void>;
}
