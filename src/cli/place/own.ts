import { z } from 'zod';
import { tokenList } from '../../../contract/tokens.ts';
import { createClient } from '../../client/index.ts';
import type { Settings } from '../../config.ts';
import { createLog } from '../../kernel/log.ts';
import { contextAt } from '../address.ts';
import type { Context, World } from '../world.ts';
import { launch } from '../server/launch.ts';
import type { Companion, Launched, StartCompanion } from '../server/launch.ts';

/** A server in this process, for as long as one command takes. */
export interface OwnServer {
  /** Starts what works beside it. */
  startCompanion(start: StartCompanion): Promise<Companion>;
  /** With a new token at each call: one holds for a day. */
  context(): Promise<Context>;
  stop(): Promise<void>;
}

interface Start {
  readonly settings: Settings;
  readonly json: boolean;
}

/** Starts a server on a free port of this machine alone. */
export async function startOwn(world: World, { settings, json }: Start): Promise<OwnServer> {
  // Warnings are for those who run a server; whoever asks for more gets it.
  const log = createLog(settings.SKEP_LOG_LEVEL === 'warn' ? 'error' : settings.SKEP_LOG_LEVEL);
  const at = { ...settings, SKEP_HOST: '127.0.0.1', SKEP_PORT: 0 };
  const launched = await launch(at, { clock: world.clock, log });
  try {
    await forgetAdmin(world, launched);
  } catch (error) {
    await launched.stop();
    throw error;
  }
  return {
    startCompanion: start => start({ url: launched.url, mintToken: launched.mintWorkerToken, log }),
    context: async () => contextAt(world, { server: launched.url, token: await launched.mintToken(), json }),
    stop: launched.stop,
  };
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
