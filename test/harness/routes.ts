import { join } from 'node:path';
import { createListener } from '../../src/db/listen.ts';
import { createApp } from '../../src/http/app.ts';
import type { GuardedRoute } from '../../src/http/route.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createFolderBlobs } from '../../src/providers/blobs/folder.ts';
import { createClaimDesk } from '../../src/stages/runs/index.ts';
import type { TestApi } from './server.ts';

/** The router's own table: of an application that is made like the real one and never listens. */
export async function routesOf({ database, engineUrl, home }: TestApi): Promise<readonly GuardedRoute[]> {
  const listener = createListener(engineUrl, systemClock, silentLog);
  const settings = { leaseMs: 15_000, heartbeatMs: 5_000, attemptsMax: 3, retryMs: 0, limits: noLimits };
  const parts = { database, listener, settings, clock: systemClock, log: silentLog };
  const app = await createApp({
    ...parts,
    desk: createClaimDesk(parts),
    blobs: await createFolderBlobs(join(home, 'unused'), systemClock),
    version: 'test',
    checkReady: async () => {},
  });
  await app.ready();
  const all = app.guardedRoutes;
  await app.close();
  return all;
}

const noLimits = {
  timeout_ms: 1,
  output_bytes_max: 1,
  bundle_bytes_max: 1,
  memory_bytes: 1,
  process_count: 1,
  cpu_count: 1,
  tmp_bytes: 1,
};
