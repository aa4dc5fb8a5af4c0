import { rmSync } from 'node:fs';
import { recordedLabel } from '../build/recorded.ts';
import { Fault } from '../../kernel/fault.ts';
import { endDatabase } from '../server/launch.ts';
import type { World } from '../world.ts';
import type { DemoOptions } from './options.ts';
import { findClone, placesIn, removeHome } from './places.ts';
import type { Clone, Places } from './places.ts';
import { forgetState, isAlive, readState } from './state.ts';
import type { DemoState } from './state.ts';

/** The demo to go on with; undefined without --resume. Throws where there is none, or where one runs. */
export function lastDemo(clone: Clone, { resume }: DemoOptions): DemoState | undefined {
  const last = readState(clone);
  if (last !== undefined && isAlive(last)) throw runs(last);
  if (resume !== true) return undefined;
  if (last !== undefined && !last.isKept) return last;
  throw new Fault('session_not_found', {
    message: 'There is no interrupted demo to go on with',
    hint: 'Begin one: npm run demo',
  });
}

function runs({ pid, isKept }: DemoState): Fault {
  return new Fault('wrong_state', {
    message: isKept ? `A demo was kept running (process ${pid})` : `A demo runs here already (process ${pid})`,
    hint: isKept ? 'Stop it first: npm run demo -- --stop' : 'Wait for its end, or press Ctrl-C there',
  });
}

/** A new demo takes the place of one that was interrupted. */
export async function clearLast(world: World, clone: Clone): Promise<void> {
  const last = readState(clone);
  if (last === undefined) return;
  await removeAll(world, placesIn(last.folder));
  forgetState(clone);
  world.err.write(`What an interrupted demo had left in ${last.folder} was removed.\n`);
}

/** Stops what --keep has left running and removes it but for the repository; of an interrupted demo it removes everything. */
export async function stopDemo(world: World, { json }: DemoOptions, clone = findClone()): Promise<void> {
  const last = readState(clone);
  if (last === undefined) throw new Fault('session_not_found', { message: 'No demo runs, and none was interrupted' });
  if (isAlive(last) && !last.isKept) throw runs(last);
  if (isAlive(last)) await stopProcess(world, last);
  const places = placesIn(last.folder);
  if (last.isKept) {
    await endDatabase(places.home, world.clock);
    removeHome(places);
  } else await removeAll(world, places);
  forgetState(clone);
  const left = last.isKept ? places.repository : null;
  if (json === true) world.out.write(`${JSON.stringify({ event: 'stopped', label: recordedLabel, repository: left })}\n`);
  else if (left === null) world.out.write('The interrupted demo is removed.\n');
  else world.out.write(`The demo is stopped. Its repository is left: ${left}\n  to remove it: rm -r ${places.folder}\n`);
}

/** Its database first: that of a demo that was killed runs on, and would in a folder that is gone. Throws Fault `folder_in_use`. */
async function removeAll({ clock }: World, { folder, home }: Places): Promise<void> {
  await endDatabase(home, clock);
  rmSync(folder, { recursive: true, force: true });
}

/** A server that lets what runs end, and stops its database, takes no longer than this. */
const stopMsMax = 90_000;
const lookMs = 100;

async function stopProcess({ clock }: World, server: DemoState): Promise<void> {
  process.kill(server.pid, 'SIGTERM');
  for (const until = clock.mono() + stopMsMax; isAlive(server); await clock.sleep(lookMs)) {
    if (clock.mono() < until) continue;
    throw new Fault('failed', {
      message: `The server of the demo (process ${server.pid}) does not end`,
      hint: `Look at it, then: kill -KILL ${server.pid}, and again npm run demo -- --stop`,
    });
  }
}
