import { z } from 'zod';
import type { Settings } from '../../config.ts';
import { isFault } from '../../kernel/fault.ts';
import { addressed, contextAt } from '../address.ts';
import type { Context, RemoteOptions, World } from '../world.ts';
import { readNote } from '../server/note.ts';
import type { ServerNote } from '../server/note.ts';

/** A server that runs already. */
export interface Found {
  readonly context: Context;
  /** The process that runs it, where it is one of this machine; undefined: it was named by its address. */
  readonly note: ServerNote | undefined;
}

/**
 * The server to be used: the one that was named, else the one of this machine that has left its note, else the one at the usual
 * address if SKEP_TOKEN holds there. Undefined where none runs. Throws where the named one does not answer or refuses the token.
 */
export async function findServer(world: World, options: RemoteOptions): Promise<Found | undefined> {
  const { settings, token, isNamed } = await addressed(world, options);
  const json = options.json === true;
  if (isNamed) {
    const context = await contextAt(world, { server: settings.SKEP_SERVER, token, json });
    await ask(context);
    return { context, note: undefined };
  }
  return (await noted(world, settings, json)) ?? (token === undefined ? undefined : atUsualAddress(world, settings, json));
}

async function noted(world: World, settings: Settings, json: boolean): Promise<Found | undefined> {
  const note = readNote(settings.SKEP_HOME);
  if (note === undefined) return undefined;
  const context = await contextAt(world, { server: note.url, token: note.token, json });
  return (await answers(context)) ? { context, note } : undefined;
}

async function atUsualAddress(world: World, settings: Settings, json: boolean): Promise<Found | undefined> {
  const context = await contextAt(world, { server: settings.SKEP_SERVER, token: settings.SKEP_TOKEN, json });
  return (await answers(context)) ? { context, note: undefined } : undefined;
}

/** A note may be older than what answers there now, and a token may have ended: neither is a mistake of the user's. */
async function answers(context: Context): Promise<boolean> {
  try {
    await ask(context);
    return true;
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
}

/** Something small that needs the token. */
async function ask({ client }: Context): Promise<void> {
  await client.request('GET', '/api/projects', {
    query: { name: '-' },
    schema: z.object({ projects: z.array(z.unknown()) }),
    timeoutMs: 5_000,
  });
}
