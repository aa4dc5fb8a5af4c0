import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Clock } from '../../kernel/clock.ts';
import { Fault, isFault } from '../../kernel/fault.ts';
import type { BlobStore } from '../../stages/runs/blobs.ts';
import { createFolderBlobs } from './folder.ts';
import { createIncoming } from './incoming.ts';

/** Where the pieces lie; the database of Skep has it (src/db/chunks.ts). */
export interface ChunkTable {
  /** Stores the pieces of a blob, all of them or none; one that is there already stays as it is. */
  write(sha256: string, pieces: AsyncIterable<Buffer>): Promise<void>;
  /** One piece, counted from 0; undefined where there is none of this number. */
  read(sha256: string, number: number): Promise<Buffer | undefined>;
}

interface Parts {
  readonly chunks: ChunkTable;
  /** Uploads wait in it until they are whole. What it has from the time when blobs were kept in it is found as before. */
  readonly folder: string;
  readonly clock: Clock;
}

/** Memory for a read or a write: about two pieces. */
const pieceBytes = 1_048_576;

/** Blobs in the database, for servers that share nothing else. Whoever reads slowly holds no connection meanwhile. */
export async function createDatabaseBlobs({ chunks, folder, clock }: Parts): Promise<BlobStore> {
  const earlier = await createFolderBlobs(folder, clock);
  const receive = await createIncoming(join(folder, 'incoming'), clock);

  async function* piecesOf(sha256: string, first: Buffer): AsyncGenerator<Buffer> {
    let piece: Buffer | undefined = first;
    for (let number = 1; piece !== undefined; number++) {
      yield piece;
      if (piece.length < pieceBytes) return;
      piece = await chunks.read(sha256, number);
    }
  }

  return {
    async receive(source, bytesMax) {
      const { path, ...received } = await receive(source, bytesMax);
      return { ...received, keep: () => chunks.write(received.sha256, piecesIn(path)) };
    },
    async read(sha256) {
      const first = await chunks.read(sha256, 0);
      if (first !== undefined) return Readable.from(piecesOf(sha256, first), { objectMode: false });
      return earlier.read(sha256).catch((error: unknown) => {
        if (!isFault(error, 'blob_not_found')) throw error;
        throw new Fault('blob_not_found', { message: 'Neither the database nor the folder of this server has this blob' });
      });
    },
  };
}

/** Each of the full size but the last, which is smaller: at the end of an exact number of them an empty one. */
async function* piecesIn(path: string): AsyncGenerator<Buffer> {
  let length = pieceBytes;
  for await (const piece of createReadStream(path, { highWaterMark: pieceBytes }) as AsyncIterable<Buffer>) {
    length = piece.length;
    yield piece;
  }
  if (length === pieceBytes) yield Buffer.alloc(0);
}
