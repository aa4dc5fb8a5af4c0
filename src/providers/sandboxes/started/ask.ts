import type { Clock } from '../../../kernel/clock.ts';
import { processInfo } from '../../../kernel/processes/info.ts';

interface Asked {
  /** The process that the starter has made. */
  readonly command: () => number | undefined;
  readonly token: string;
  readonly clock: Clock;
}

const tries = 100;
const againMs = 10;

/** Sends the command SIGTERM, once, when it runs its own program and is not still the starter's copy. */
export async function askCommand({ command, token, clock }: Asked): Promise<void> {
  for (let left = tries; left > 0; left -= 1) {
    const pid = command();
    const argv = pid === undefined ? undefined : processInfo(pid)?.argv;
    if (pid !== undefined && argv !== undefined && !argv.includes(token) && argv[0] !== '/usr/bin/env') {
      try {
        process.kill(pid, 'SIGTERM');
      } catch {
        // It has ended, or another user's who may not be asked.
      }
      return;
    }
    await clock.sleep(againMs);
  }
}
