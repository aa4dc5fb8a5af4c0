import type { Readable } from 'node:stream';
import { artifactsMax } from '../../../../contract/runs.ts';
import type { Database, Tx } from '../../../db/database.ts';
import { failpoint } from '../../../kernel/failpoint.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { BlobStore, ReceivedBlob } from '../blobs.ts';
import { fence, holdRunLease, type HolderScope, lostLease } from '../holder.ts';
import { holdLease } from '../runs.sql.ts';
import { getRun } from '../verbs.ts';
import { type ArtifactRow, artifactsOfRun, dropArtifact, insertArtifact } from './artifacts.sql.ts';

interface Upload {
  readonly name: string;
  readonly source: Readable;
  readonly bytesMax: number;
}

/**
 * Keeps something of a run under a name; what stood there before is replaced. The lease is looked at before the bytes are read and
 * again when they are kept. Throws Fault `lease_lost`, `too_large` also where the run has kept too many names.
 */
export async function storeArtifact(
  { database, blobs }: { database: Database; blobs: BlobStore },
  scope: HolderScope,
  { name, source, bytesMax }: Upload,
): Promise<{ sha256: string; size: number }> {
  await holdRunLease(database, scope);
  const blob = await blobs.receive(source, bytesMax);
  try {
    await database.engine(scope, tx => refuseMore(tx, scope.holder.runId, name));
    // Before its row, which would be a lie without it; and before the run is locked, or its heartbeats would wait for what is large.
    await blob.keep();
    failpoint('artifact-stored');
    await database.engine(scope, async tx => {
      const [run] = await tx.query(holdLease, fence(tx.tenantId, scope.holder));
      if (run === undefined) throw await lostLease(tx, scope.holder);
      await keep(tx, run.id, { name, blob });
    });
    return { sha256: blob.sha256, size: blob.size };
  } finally {
    await blob.discard();
  }
}

/** What a run has kept, by name. Throws Fault `run_not_found`. */
export async function listArtifacts(tx: Tx, runId: string): Promise<ArtifactRow[]> {
  const { id } = await getRun(tx, runId);
  return tx.query(artifactsOfRun, [tx.tenantId, id, null]);
}

/** Throws Fault `run_not_found`, `blob_not_found`. */
export async function getArtifact(tx: Tx, runId: string, name: string): Promise<ArtifactRow> {
  const { id } = await getRun(tx, runId);
  const [artifact] = await tx.query(artifactsOfRun, [tx.tenantId, id, name]);
  if (artifact === undefined) throw new Fault('blob_not_found', { message: `This run has kept no artifact "${name}"` });
  return artifact;
}

async function keep(
  tx: Tx,
  runId: string,
  { name, blob }: { readonly name: string; readonly blob: ReceivedBlob },
): Promise<void> {
  await refuseMore(tx, runId, name);
  await tx.query(dropArtifact, [tx.tenantId, runId, name, blob.sha256]);
  await tx.query(insertArtifact, [tx.tenantId, runId, name, blob.sha256, blob.size]);
}

async function refuseMore(tx: Tx, runId: string, name: string): Promise<void> {
  const kept = await tx.query(artifactsOfRun, [tx.tenantId, runId, null]);
  if (kept.length >= artifactsMax && !kept.some(artifact => artifact.name === name))
    throw new Fault('too_large', { message: `A run keeps at most ${artifactsMax} artifacts` });
}
