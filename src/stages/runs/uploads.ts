import type { Readable } from 'node:stream';
import type { Database, Scope, Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { Fault } from '../../kernel/fault.ts';
import type { BlobStore, ReceivedBlob } from './blobs.ts';
import { fence, type HolderScope, lostLease, single } from './holder.ts';
import { holdLease, insertBlob, insertLogChunk, logChunks, logSize } from './runs.sql.ts';

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

/** Chunks that are in memory at once; each is at most 1 MiB. */
const readChunksMax = 4;

/** The log from byte `offset` to its present end, piece by piece, so that the longest one needs no more memory than a short one. */
export async function* readLog(
  database: Database,
  scope: Scope,
  { runId, offset }: { readonly runId: string; readonly offset: number },
): AsyncGenerator<Buffer> {
  for (let from = offset; ; ) {
    const chunks = await database.request(scope, tx => tx.query(logChunks, [tx.tenantId, runId, from, readChunksMax]));
    const first = chunks[0];
    if (first === undefined) return;
    const bytes = Buffer.concat(chunks.map(chunk => chunk.bytes)).subarray(Math.max(0, from - first.chunkOffset));
    if (bytes.length === 0) return;
    yield bytes;
    from += bytes.length;
  }
}

const bundleHeads = ['# v2 git bundle\n', '# v3 git bundle\n'];

/** Whether something that begins so can be a git bundle. */
export function isBundle(start: Buffer): boolean {
  return bundleHeads.some(head => start.subarray(0, head.length).equals(Buffer.from(head)));
}

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
    if (!isBundle(blob.head)) {
      throw new Fault('invalid_bundle', { hint: 'Make one with: git bundle create FILE BRANCH ^BASE' });
    }
    // Before its row, which would be a lie without it; and before the run is locked, or its heartbeats would wait for what is large.
    await blob.keep();
    failpoint('bundle-stored');
    await database.engine(scope, async tx => {
      await hold(tx, scope);
      await tx.query(insertBlob, [tx.tenantId, scope.holder.runId, blob.sha256, blob.size, 'bundle']);
    });
    return { sha256: blob.sha256, size: blob.size };
  } finally {
    await blob.discard();
  }
}

/** Keeps the bundle of a merge with the run whose work it lands, in the transaction that lands it. */
export async function keepMergeBundle(tx: Tx, runId: string, blob: ReceivedBlob): Promise<void> {
  await tx.query(insertBlob, [tx.tenantId, runId, blob.sha256, blob.size, 'merge']);
  await blob.keep();
  failpoint('merge-stored');
}

async function hold(tx: Tx, { holder }: HolderScope): Promise<void> {
  const [run] = await tx.query(holdLease, fence(tx.tenantId, holder));
  if (run === undefined) throw await lostLease(tx, holder);
}
