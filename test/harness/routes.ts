import { join } from 'node:path';
import { createListener } from '../../src/db/listen.ts';
import { createGateway } from '../../src/gateway/index.ts';
import { createApp } from '../../src/http/app.ts';
import type { GuardedRoute } from '../../src/http/route.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createClaimDesk } from '../../src/stages/runs/index.ts';
import type { TestApi } from './server.ts';
import { testSettings, testStores } from './stores.ts';

/** The router's own table: of an application that is made like the real one and never listens. */
export async function routesOf({ database, engineUrl, home }: TestApi): Promise<readonly GuardedRoute[]> {
  const listener = createListener(engineUrl, systemClock, silentLog);
  const parts = { database, listener, settings: testSettings, clock: systemClock, log: silentLog };
  const app = await createApp({
    ...parts,
    ...(await testStores(join(home, 'unused'))),
    desk: createClaimDesk(parts),
    gateway: createGateway({ ...parts, ...noModels }),
    version: 'test',
    checkReady: async () => {},
  });
  await app.ready();
  const all = app.guardedRoutes;
  await app.close();
  return all;
}

/** A gateway that reaches nobody. */
const noModels = {
  models: { providers: [], aliases: new Map<string, string[]>(), prices: new Map<string, never>(), file: 'models.json' },
  upstreams: [],
  ledger: { reserve: async () => ({ kind: 'busy', message: 'nothing is granted here' }) as const, settle: async () => {} },
  random: () => 0,
};
