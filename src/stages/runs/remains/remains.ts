import type { Readable } from 'node:stream';
import type { Database, Scope, Tx } from '../../../db/database.ts';
import { failpoint } from '../../../kernel/failpoint.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { BlobStore, ReceivedBlob } from '../blobs.ts';
import { dropArtifact, insertArtifact } from '../artifacts/artifacts.sql.ts';
import { announceRun } from '../holder.ts';
import { isBundle } from '../uploads.ts';
import { getRun } from '../verbs.ts';
import type { RunRow } from '../runs.sql.ts';
import { holdRunRow, insertRescue, rescuesOfRun, runsAmongIds } from './remains.sql.ts';

/** A claim that is over, or whose holder is dead: what names it is no secret, and opens nothing else. */
interface Claim {
  readonly runId: string;
  readonly fence: number;
}

interface Rescue extends Claim {
  /** Not the work, but what is kept under this name. */
  readonly artifact?: string | undefined;
  readonly source: Readable;
  readonly bytesMax: number;
}

/** One is what a dead worker leaves; some more for who could not hear that it was taken. */
const rescuesMax = 5;

/**
 * Keeps what a dead worker has left of a run: its work, as a git bundle, or the conversation of its agent. The state of the run is none
 * of its business. Said twice it is one. Throws Fault `run_not_found`, `wrong_state` where the claim was never this run's last,
 * `invalid_bundle`, `too_large`.
 */
export async function storeRescue(
  { database, blobs }: { database: Database; blobs: BlobStore },
  scope: Scope,
  { source, bytesMax, artifact, ...claim }: Rescue,
): Promise<{ sha256: string; size: number }> {
  await database.engine(scope, tx => holdClaim(tx, claim));
  const blob = await blobs.receive(source, bytesMax);
  try {
    if (artifact === undefined && !isBundle(blob.head))
      throw new Fault('invalid_bundle', { hint: 'Make one with: git bundle create FILE BRANCH ^BASE' });
    if (artifact === undefined) await database.engine(scope, tx => refuseMore(tx, claim.runId, blob.sha256));
    // Before its row, which would be a lie without it; and before the run is locked, since it may be large.
    await blob.keep();
    failpoint('rescue-stored');
    await database.engine(scope, async tx => {
      const run = await holdClaim(tx, claim);
      await (artifact === undefined ? keepWork(tx, run, blob) : keepArtifact(tx, run, { artifact, blob }));
    });
    return { sha256: blob.sha256, size: blob.size };
  } finally {
    await blob.discard();
  }
}

/** Throws Fault `run_not_found`, `blob_not_found`. */
export async function getRescue(tx: Tx, runId: string): Promise<{ sha256: string; size: number }> {
  const { id } = await getRun(tx, runId);
  const [rescue] = await tx.query(rescuesOfRun, [tx.tenantId, id]);
  if (rescue === undefined) throw new Fault('blob_not_found', { message: 'No work of this run was rescued' });
  return rescue;
}

/** Which of these are runs, of whatever tenant. */
export async function runsAmong(database: Database, ids: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set((await database.enginePool.query(runsAmongIds, [ids])).map(({ id }) => id));
}

async function keepWork(tx: Tx, run: RunRow, blob: ReceivedBlob): Promise<void> {
  await refuseMore(tx, run.id, blob.sha256);
  const kept = await tx.query(insertRescue, [tx.tenantId, run.id, blob.sha256, blob.size]);
  if (kept.length > 0) announceRun(tx, run, { type: 'run.rescued', bundle: blob.sha256, size: blob.size });
}

async function refuseMore(tx: Tx, runId: string, sha256: string): Promise<void> {
  const kept = await tx.query(rescuesOfRun, [tx.tenantId, runId]);
  if (kept.length >= rescuesMax && !kept.some(rescue => rescue.sha256 === sha256))
    throw new Fault('too_large', { message: `Of a run at most ${rescuesMax} rescues are kept` });
}

/** As its holder would have: what it kept itself under this name is older. */
async function keepArtifact(tx: Tx, { id }: RunRow, { artifact, blob }: { artifact: string; blob: ReceivedBlob }): Promise<void> {
  await tx.query(dropArtifact, [tx.tenantId, id, artifact, blob.sha256]);
  await tx.query(insertArtifact, [tx.tenantId, id, artifact, blob.sha256, blob.size]);
}

async function holdClaim(tx: Tx, { runId, fence }: Claim): Promise<RunRow> {
  const [run] = await tx.query(holdRunRow, [tx.tenantId, runId]);
  if (run === undefined) throw new Fault('run_not_found');
  if (run.fence === fence) return run;
  throw new Fault('wrong_state', {
    message: `The fence ${fence} is of no claim that held this run last${run.fence === null ? '' : `: that has ${run.fence}`}`,
    hint: 'Keep the bundle, and look for its run by the branch in it: git bundle list-heads FILE',
    facts: { currentState: run.state },
  });
}
