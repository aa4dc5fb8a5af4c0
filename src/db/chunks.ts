import type { Log } from '../kernel/log.ts';
import { chunkOf, insertChunk } from './chunks.sql.ts';
import { openPool, runStatement } from './pool.ts';
import { asFault } from './refusal.ts';

/** The contents of blobs, in pieces. Throws Faults `database_unavailable`, `disk_full`. */
export interface Chunks {
  /** All pieces in one transaction, so that nobody sees a part; one that is there already is left as it is. */
  write(sha256: string, pieces: AsyncIterable<Buffer>): Promise<void>;
  read(sha256: string, number: number): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

/**
 * A pool of its own: contents are kept while the transaction that names them is open, and had both to come from one pool, as many
 * uploads at once as it has connections would wait for each other.
 */
const connectionCountMax = 4;

export function openChunks(engineUrl: string, log: Log): Chunks {
  const pool = openPool(engineUrl, log, connectionCountMax);
  return {
    async write(sha256, pieces) {
      const client = await pool.connect();
      let broken: unknown;
      try {
        await client.query('begin');
        let number = 0;
        for await (const bytes of pieces) {
          const stored = await runStatement(client, insertChunk, [sha256, number, bytes]);
          // Somebody has stored it whole: nobody sees less of another's transaction than all.
          if (stored.length === 0) break;
          number += 1;
        }
        await client.query('commit');
      } catch (error) {
        await client.query('rollback').catch((failure: unknown) => {
          broken = failure;
        });
        throw asFault(error);
      } finally {
        client.release(broken instanceof Error ? broken : undefined);
      }
    },
    async read(sha256, number) {
      const [chunk] = await pool.query(chunkOf, [sha256, number]);
      return chunk?.bytes;
    },
    close: () => pool.close(),
  };
}
