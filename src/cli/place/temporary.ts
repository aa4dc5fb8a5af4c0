import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../config.ts';
import type { Context, World } from '../world.ts';
import { Interrupted } from '../report.ts';

/** What a command has started for itself, until it ends. */
interface Temporary {
  readonly stop: () => Promise<void>;
}

const started = new WeakMap<World, Temporary>();
const interruptions = new WeakMap<World, (reason: Interrupted) => void>();

/** Whether there is anything that a server started here would serve. */
export function hasData({ SKEP_HOME, DATABASE_URL }: Settings): boolean {
  return DATABASE_URL !== undefined || existsSync(join(SKEP_HOME, 'postgres'));
}

/**
 * A server of this command's own: what a build has left can be looked at and decided on though no server runs. It has no worker,
 * and it is stopped by endTemporary.
 */
export async function startTemporary(world: World, { settings, json }: { settings: Settings; json: boolean }): Promise<Context> {
  void world.stopRequested().then(() => interruptions.get(world)?.(new Interrupted()));
  // Loaded where it is needed: most commands are quick because they load little.
  const { startOwn } = await import('./own.ts');
  const own = await startOwn(world, { settings, json });
  started.set(world, own);
  return own.context();
}

/** Rejects when Ctrl-C asks a command to end that has a server of its own; others end by themselves. */
export function interrupted(world: World): Promise<never> {
  return new Promise((_resolve, reject) => void interruptions.set(world, reject));
}

export async function endTemporary(world: World): Promise<void> {
  const own = started.get(world);
  started.delete(world);
  await own?.stop();
}
