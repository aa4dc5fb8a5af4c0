import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { tokenList } from '../../../contract/tokens.ts';
import { createClient } from '../../client/index.ts';
import type { Settings } from '../../config.ts';
import { Fault } from '../../kernel/fault.ts';
import { createLog } from '../../kernel/log.ts';
import { addressed, contextAt } from '../context.ts';
import type { Context, World } from '../context.ts';
import { Interrupted } from '../report.ts';
import { launch } from '../server/launch.ts';
import type { Companion, Launched, StartCompanion } from '../server/launch.ts';
import { findServer } from './find.ts';
import type { PlaceOptions } from './find.ts';

/** A server in this process, for as long as one command takes. */
export interface OwnServer {
  readonly companion: Companion | undefined;
  /** With a new token at each call: one holds for a day. */
  context(): Promise<Context>;
  stop(): Promise<void>;
}

interface Start {
  readonly settings: Settings;
  readonly json: boolean;
  readonly startCompanion?: StartCompanion;
}

/** Starts a server on a free port of this machine alone. */
export async function startOwn(world: World, { settings, json, startCompanion }: Start): Promise<OwnServer> {
  // Warnings are for those who run a server; whoever asks for more gets it.
  const log = createLog(settings.SKEP_LOG_LEVEL === 'warn' ? 'error' : settings.SKEP_LOG_LEVEL);
  const at = { ...settings, SKEP_HOST: '127.0.0.1', SKEP_PORT: 0 };
  const launched = await launch(at, { clock: world.clock, log, startCompanion });
  try {
    await forgetAdmin(world, launched);
  } catch (error) {
    await launched.stop();
    throw error;
  }
  return {
    companion: launched.companion,
    context: async () => contextAt(world, { server: launched.url, token: await launched.mintToken(), json }),
    stop: launched.stop,
  };
}

/**
 * Runs a command against the server that runs, or against one of its own where none does but its data is there: what a build has
 * left can be looked at and decided without one.
 */
export async function withServer<T>(world: World, options: PlaceOptions, command: (context: Context) => Promise<T>): Promise<T> {
  const found = await findServer(world, options);
  if (found !== undefined) return command(found.context);
  const { settings } = await addressed(world, options);
  if (settings.DATABASE_URL === undefined && !existsSync(join(settings.SKEP_HOME, 'postgres'))) {
    throw new Fault('server_unavailable', { message: `No server runs here, and there is nothing in ${settings.SKEP_HOME} yet` });
  }
  const stopRequested = world.stopRequested();
  const own = await startOwn(world, { settings, json: options.json === true });
  try {
    const interrupted = stopRequested.then(() => Promise.reject(new Interrupted()));
    return await Promise.race([command(await own.context()), interrupted]);
  } finally {
    await own.stop();
  }
}

/** The very first start makes an admin token. Nobody would see this one: the first `skep start` makes and shows another. */
async function forgetAdmin({ clock }: World, { url, adminToken }: Launched): Promise<void> {
  if (adminToken === undefined) return;
  const client = createClient({ server: url, token: adminToken, clock });
  const { tokens } = await client.request('GET', '/api/tokens', { schema: tokenList });
  for (const { id, name, revoked_at } of tokens) {
    if (name === 'first admin' && revoked_at === null)
      await client.request('DELETE', `/api/tokens/${id}`, { schema: z.unknown() });
  }
}
