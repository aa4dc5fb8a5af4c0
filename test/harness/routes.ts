import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createListener } from '../../src/db/listen.ts';
import { createGateway, type Gateway } from '../../src/gateway/index.ts';
import { createApp } from '../../src/http/app.ts';
import type { GuardedRoute } from '../../src/http/route.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createClaimDesk } from '../../src/stages/runs/index.ts';
import type { TestApi } from './server.ts';
import type { Stages } from './stages.ts';
import { testSettings, testStores } from './stores.ts';

const shared = { settings: testSettings, clock: systemClock, log: silentLog, version: 'test', checkReady: async () => {} };

/** The router's own table: of an application that is made like the real one and never listens. */
export async function routesOf({ database, engineUrl, home }: TestApi): Promise<readonly GuardedRoute[]> {
  const listener = createListener(engineUrl, systemClock, silentLog);
  const desk = createClaimDesk({ ...shared, database, listener });
  const gateway = createGateway({ ...shared, database, ...noModels });
  const stores = await testStores(join(home, 'unused'));
  const app = await createApp({ ...shared, ...stores, database, listener, desk, gateway });
  await app.ready();
  const all = app.guardedRoutes;
  await app.close();
  return all;
}

export interface ServedStages {
  readonly url: string;
  readonly routes: readonly GuardedRoute[];
  close(): Promise<void>;
}

/** The real application over these stages, and none of the loops of a server: nothing happens that no request has asked for. */
export async function serveStages(stages: Stages, gateway?: Gateway): Promise<ServedStages> {
  const { database } = stages;
  const listener = createListener(stages.engineUrl, systemClock, silentLog);
  const desk = createClaimDesk({ ...shared, database, listener });
  const app: FastifyInstance = await createApp({
    ...shared,
    ...stages.parts,
    listener,
    desk,
    gateway: gateway ?? createGateway({ ...shared, database, ...noModels }),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  listener.start();
  desk.start();
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    routes: app.guardedRoutes,
    async close() {
      await app.close();
      await Promise.all([desk.stop(), listener.stop()]);
    },
  };
}

/** A gateway that reaches nobody. */
const noModels = {
  models: { providers: [], aliases: new Map<string, string[]>(), prices: new Map<string, never>(), file: 'models.json' },
  upstreams: [],
  ledger: { reserve: async () => ({ kind: 'busy', message: 'nothing is granted here' }) as const, settle: async () => {} },
  random: () => 0,
};
