import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { isSameProcess, processInfo } from '../../kernel/processes/info.ts';

/**
 * What a server of this machine leaves for the commands of its user: where it is and a token. In SKEP_HOME, readable by the
 * owner alone, who could read the database that lies beside it too.
 */
const note = z.object({
  url: z.url({ protocol: /^https?$/ }),
  pid: z.number().int(),
  /** Start of the process: with the pid it names one process for ever. */
  start: z.string(),
  token: z.string(),
  /** Whether a worker runs in the same process. */
  worker: z.boolean(),
});

export type ServerNote = z.infer<typeof note>;

/** The note of a server whose process lives; what a dead one has left is as good as none. */
export function readNote(home: string): ServerNote | undefined {
  try {
    const found = note.safeParse(JSON.parse(readFileSync(pathIn(home), 'utf8')));
    return found.success && isAlive(found.data) ? found.data : undefined;
  } catch {
    return undefined;
  }
}

export function isAlive({ pid, start }: Pick<ServerNote, 'pid' | 'start'>): boolean {
  return isSameProcess(pid, start);
}

interface Kept {
  readonly url: string;
  readonly worker: boolean;
  readonly clock: Clock;
  readonly mintToken: () => Promise<string>;
}

/** Writes the note of this process, with a new token before the old one ends; the result takes it away. */
export async function keepNote(home: string, { url, worker, clock, mintToken }: Kept): Promise<() => Promise<void>> {
  const me = { url, pid: process.pid, start: processInfo(process.pid)?.start ?? '', worker };
  const stopping = new AbortController();
  write(home, { ...me, token: await mintToken() });

  async function renew(): Promise<void> {
    for (;;) {
      await clock.sleep(renewAfterMs, stopping.signal);
      if (stopping.signal.aborted) return;
      // With the database away for a moment the old token holds on; the next turn tries again.
      const token = await mintToken().catch(() => undefined);
      if (token !== undefined && !stopping.signal.aborted) write(home, { ...me, token });
    }
  }
  const renewing = renew();

  return async () => {
    stopping.abort();
    await renewing;
    // Another server of the same home may have written its own since.
    const there = readNote(home);
    if (there?.pid === me.pid && there.url === me.url) rmSync(pathIn(home), { force: true });
  };
}

const renewAfterMs = 43_200_000;

function pathIn(home: string): string {
  return join(home, 'server.json');
}

/** Whole or not at all: somebody may read it right now. */
function write(home: string, content: ServerNote): void {
  mkdirSync(home, { recursive: true });
  const part = `${pathIn(home)}.${process.pid}`;
  writeFileSync(part, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  // The mode above is for a new file only.
  chmodSync(part, 0o600);
  renameSync(part, pathIn(home));
}
