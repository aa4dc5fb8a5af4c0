import { type Clock, systemClock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import { isSameProcess } from '../../kernel/processes/info.ts';
import { errorCode, type Site, siteOf } from './place/folder.ts';
import { livePostmaster, workersOn } from './pid-file.ts';

const fastMs = 30_000;
const immediateMs = 5_000;

/**
 * Stops the server of this home, whoever started it, and waits until it is gone: open transactions are rolled back and a
 * checkpoint is written; a server that does not manage that in 30 s is stopped as by a crash, which loses nothing that
 * was acknowledged. True when it stopped one; false when none ran. Throws Fault `folder_in_use` when it may not or cannot.
 */
export async function stopEmbedded(home: string, clock: Clock = systemClock): Promise<boolean> {
  const { data } = siteOf(home);
  const first = livePostmaster(data);
  if (first === undefined) return false;
  for (const [signal, waitMs] of [
    ['SIGINT', fastMs],
    ['SIGQUIT', immediateMs],
  ] as const) {
    send(first, signal);
    const deadline = clock.mono() + waitMs;
    while (clock.mono() < deadline) {
      // Not the pid file: it goes a moment before the process does.
      if (!isSameProcess(first.pid, first.start)) return true;
      await clock.sleep(5);
    }
  }
  throw refused(first, 'does not stop');
}

/**
 * For a home whose owner is dead and that is to be removed: ends all that works on its database, also where that is only being made, or
 * where the server has not yet said that it is there. Throws Fault `folder_in_use` as above.
 */
export async function clearEmbedded(home: string, clock: Clock = systemClock): Promise<void> {
  const site = siteOf(home);
  // What does not end when it is asked to is killed.
  await stopEmbedded(home, clock).catch(() => {});
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    for (const { isAsked, ...worker } of leftOn(site)) if (isAsked || signal === 'SIGKILL') send(worker, signal);
    for (const deadline = clock.mono() + immediateMs; clock.mono() < deadline; await clock.sleep(10))
      if (leftOn(site).length === 0) return;
  }
  for (const worker of leftOn(site)) throw refused(worker, 'does not end');
}

/** Also a server whose folder is not to be seen, but that its pid file names. */
function leftOn(site: Site): ReturnType<typeof workersOn> {
  const [workers, server] = [workersOn(site), livePostmaster(site.data)];
  if (server === undefined || workers.some(({ pid }) => pid === server.pid)) return workers;
  return [...workers, { pid: server.pid, command: server.command, isAsked: true }];
}

function send(server: { pid: number; command: string }, signal: NodeJS.Signals): void {
  try {
    process.kill(server.pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw refused(server, 'belongs to another user and cannot be stopped from here');
  }
}

function refused({ pid, command }: { pid: number; command: string }, why: string): Fault {
  return new Fault('folder_in_use', {
    message: `The database, process ${pid} (${command}), ${why}`,
    hint: `Stop process ${pid} as its user.`,
    facts: { pid },
  });
}
