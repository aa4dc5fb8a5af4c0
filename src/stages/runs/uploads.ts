import type { Readable } from 'node:stream';
import type { Database, Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import type { BlobStore } from './blobs.ts';
import { fence, type HolderScope, lostLease, single } from './holder.ts';
import { holdLease, insertBlob, insertLogChunk, logChunks, logSize, runById } from './runs.sql.ts';

/**
 * Adds what a run printed at byte `offset`. A chunk that is stored already is accepted again, since its answer may have been lost.
 * Throws Fault `lease_lost`, `log_gap`, `too_large`.
 */
export async function appendLog(
  database: Database,
  scope: HolderScope,
  chunk: { readonly offset: number; readonly bytes: Buffer; readonly sizeMax: number },
): Promise<number> {
  return database.engine(scope, async tx => {
    await hold(tx, scope);
    const [last] = await tx.query(logSize, [tx.tenantId, scope.holder.runId]);
    const size = last?.size ?? 0;
    const end = chunk.offset + chunk.bytes.length;
    if (end <= size) return size;
    if (chunk.offset !== size) {
      throw new Fault('log_gap', { message: `The log has ${size} bytes; this chunk begins at ${chunk.offset}`, facts: { size } });
    }
    if (end > chunk.sizeMax)
      throw new Fault('too_large', { message: `The log of a run has at most ${chunk.sizeMax} bytes`, facts: { size } });
    await tx.query(insertLogChunk, [tx.tenantId, scope.holder.runId, chunk.offset, chunk.bytes]);
    return end;
  });
}

/** Chunks that one read fetches: at most this many MiB. */
const readChunksMax = 8;

/** The log from byte `offset` on, a few MiB at most; the reader asks again from where that ended. */
export async function readLog(tx: Tx, runId: string, offset: number): Promise<Buffer> {
  const [run] = await tx.query(runById, [tx.tenantId, runId]);
  if (run === undefined) throw new Fault('run_not_found');
  const chunks = await tx.query(logChunks, [tx.tenantId, runId, offset, readChunksMax]);
  const first = chunks[0];
  if (first === undefined) return Buffer.alloc(0);
  return Buffer.concat(chunks.map(chunk => chunk.bytes)).subarray(Math.max(0, offset - first.chunkOffset));
}

const bundleHeads = ['# v2 git bundle\n', '# v3 git bundle\n'];

/** Takes in a git bundle for a run. The lease is looked at before the bytes are read and again when they are kept. */
export async function storeBundle(
  { database, blobs }: { database: Database; blobs: BlobStore },
  scope: HolderScope,
  upload: { readonly source: Readable; readonly bytesMax: number },
): Promise<{ sha256: string; size: number }> {
  const [held] = await database.enginePool.query(holdLease, fence(scope.tenantId, scope.holder));
  if (held === undefined) throw await lostLease(single(database, scope.tenantId), scope.holder);
  const blob = await blobs.receive(upload.source, upload.bytesMax);
  try {
    if (!bundleHeads.some(head => blob.head.subarray(0, head.length).equals(Buffer.from(head)))) {
      throw new Fault('invalid_bundle', { hint: 'Make one with: git bundle create FILE BRANCH ^BASE' });
    }
    await database.engine(scope, async tx => {
      await hold(tx, scope);
      await tx.query(insertBlob, [tx.tenantId, scope.holder.runId, blob.sha256, blob.size]);
      // Before the commit: a row without its content would be a lie, content without a row is only swept.
      await blob.keep();
    });
    return { sha256: blob.sha256, size: blob.size };
  } finally {
    await blob.discard();
  }
}

async function hold(tx: Tx, { holder }: HolderScope): Promise<void> {
  const [run] = await tx.query(holdLease, fence(tx.tenantId, holder));
  if (run === undefined) throw await lostLease(tx, holder);
}
