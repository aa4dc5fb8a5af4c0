import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { Site } from './place/folder.ts';
import { livePostmaster, postgresIn, removeStalePidFile } from './pid-file.ts';

const patienceMs = 5_000;

/**
 * Makes the folder of a server that died free for the next: waits for the children of a killed postmaster, which hold its
 * shared memory until they notice, asks the slow ones to go, and removes a pid file that names something else.
 * Throws Fault `folder_in_use` when another Postgres is at work there.
 */
export async function clearLeftovers({ site, clock, log }: { site: Site; clock: Clock; log: Log }): Promise<void> {
  const start = clock.mono();
  let asked = false;
  for (;;) {
    const found = postgresIn(site.data);
    const master = found.find(({ backend }) => !backend);
    if (livePostmaster(site.data)) return;
    // One that is just ending has no pid file any more: it gets the time to go.
    if (master && clock.mono() - start > patienceMs) throw inUse(site, master);
    if (found.length === 0) break;
    if (clock.mono() - start > 2 * patienceMs) throw inUse(site, found[0] ?? { pid: 0, command: '' });
    if (!asked && !master && clock.mono() - start > patienceMs) {
      // Their postmaster is dead: nothing that they still compute can be committed twice or lost, recovery reads the log.
      for (const { pid } of found) quit(pid);
      asked = true;
    }
    await clock.sleep(10);
  }
  if (removeStalePidFile(site.data)) log.warn({ path: site.data }, 'removed a pid file that named no server of this folder');
}

function quit(pid: number): void {
  try {
    process.kill(pid, 'SIGQUIT');
  } catch {
    // It has gone by itself, or is not ours; the deadline decides.
  }
}

function inUse(site: Site, holder: { pid: number; command: string }): Fault {
  return new Fault('folder_in_use', {
    message: `Process ${holder.pid} (${holder.command}) is at work in ${site.data}`,
    hint: `Stop process ${holder.pid} and start again.`,
    facts: { pid: holder.pid, path: site.data },
  });
}
