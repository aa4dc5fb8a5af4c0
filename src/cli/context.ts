import { addressed, contextAt } from './address.ts';
import type { Context, RemoteOptions, World } from './world.ts';

export type { Context, Input, Output, RemoteOptions, Size, StopSignal, World } from './world.ts';

/**
 * The context of a command that talks to a server: the one that was named, else the one of this machine that has left its note,
 * else one of the command's own where its data is here. Throws Fault `invalid_config` for a bad URL or an unreadable token file.
 */
export async function connect(world: World, options: RemoteOptions, { mayStart = true } = {}): Promise<Context> {
  const { settings, token, isNamed } = await addressed(world, options);
  const json = options.json === true;
  if (isNamed) return contextAt(world, { server: settings.SKEP_SERVER, token, json });
  const { readNote } = await import('./server/note.ts');
  const note = readNote(settings.SKEP_HOME);
  if (note !== undefined) return contextAt(world, { server: note.url, token: token ?? note.token, json });
  const { hasData, startTemporary } = await import('./place/temporary.ts');
  if (mayStart && token === undefined && hasData(settings)) return startTemporary(world, { settings, json });
  return contextAt(world, { server: settings.SKEP_SERVER, token, json });
}
