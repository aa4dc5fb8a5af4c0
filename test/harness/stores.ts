import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/kernel/clock.ts';
import { createFolderBlobs } from '../../src/providers/blobs/folder.ts';
import { createGitUpstream } from '../../src/providers/forges/git/index.ts';
import type { BlobStore, RunSettings } from '../../src/stages/runs/index.ts';
import { createDepot, type Depot, type Upstream } from '../../src/support/repositories/index.ts';

/** What lies beside the database, in a folder of the test's own; real, as main.ts makes it. */
export async function testStores(home: string): Promise<{ blobs: BlobStore; depot: Depot; upstream: Upstream }> {
  const folder = join(home, 'depot');
  mkdirSync(folder, { recursive: true });
  return {
    blobs: await createFolderBlobs(join(home, 'blobs'), systemClock),
    depot: await createDepot({ folder, clock: systemClock }),
    upstream: await createGitUpstream({ folder, home, clock: systemClock }),
  };
}

export const testSettings: RunSettings = {
  leaseMs: 15_000,
  heartbeatMs: 5_000,
  attemptsMax: 3,
  retryMs: 0,
  restartCooldownMs: 0,
  restartsMax: 3,
  stormFailures: 10,
  queueAgeMs: 7_200_000,
  roundsMax: 3,
  reviewTimeoutMs: 60_000,
  modelTargets: () => [],
  questionMs: 60_000,
  questionWaitMs: 10_000,
  limits: {
    timeout_ms: 60_000,
    output_bytes_max: 1_000,
    bundle_bytes_max: 10_000,
    memory_bytes: 1e9,
    process_count: 64,
    cpu_count: 1,
    tmp_bytes: 1e9,
    workspace_bytes: 64 * 2 ** 20,
  },
};
