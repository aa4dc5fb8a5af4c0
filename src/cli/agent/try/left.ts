import { lstatSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { silentLog } from '../../../kernel/log.ts';
import { isDead, thisOwner } from '../../../kernel/processes/owner.ts';
import { chooseSandboxes } from '../../../providers/sandboxes/choose.ts';
import { removeUnmounted } from '../../place/remove.ts';
import { endDatabase } from '../../server/launch.ts';
import type { World } from '../../world.ts';

const prefix = 'skep-try-';

/** A folder among the temporary files. Its name says whose it is, so that there is no moment at which nobody knows. */
export function makeFolder(): string {
  // Elsewhere there are no sandboxes, and so no tries that have begun anything.
  const owner = process.platform === 'linux' ? thisOwner() : process.pid;
  return mkdtempSync(join(tmpdir(), `${prefix}${owner}-`));
}

/** For whoever removes the folder one day: of which kind the sandboxes are that its home may have. */
export function noteSandbox(folder: string, kind: string): void {
  writeFileSync(join(folder, 'sandbox'), kind);
}

/**
 * A try that was killed, or was not let end, leaves its database running, sandboxes and a folder: the next one removes them, and says so.
 * What cannot be removed stands in nobody's way. Throws what `signal` is aborted with; what is left then is the next one's.
 */
export async function removeLeftTries(world: World, signal: AbortSignal): Promise<void> {
  for (const folder of leftFolders()) {
    const what = `what a try that was broken off had left in ${folder}`;
    const removing = remove(world, folder).then(
      isDone => (isDone ? `Removed ${what}\n` : ''),
      (error: unknown) => `Could not remove ${what}: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    world.err.write(await unlessAborted(removing, signal));
  }
}

/** A database that does not stop takes a while. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { signal: over.signal });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    over.abort();
  }
}

/**
 * This user's, of processes that are surely dead: among the temporary files anybody may have put anything, and in a folder that may not be
 * listed nothing is found.
 */
function leftFolders(): readonly string[] {
  return unlessRefused(() => readdirSync(tmpdir()), [])
    .filter(name => name.startsWith(prefix) && isDead(name.slice(prefix.length).split('-')[0] ?? ''))
    .map(name => join(tmpdir(), name))
    .filter(folder => {
      const found = unlessRefused(() => lstatSync(folder), undefined);
      return found?.isDirectory() === true && found.uid === process.geteuid?.();
    });
}

function unlessRefused<T, Other>(look: () => T, other: Other): T | Other {
  try {
    return look();
  } catch {
    return other;
  }
}

/** False where another try was faster. */
async function remove({ clock }: World, left: string): Promise<boolean> {
  // Before it has another name, which its processes would not know.
  await endDatabase(join(left, 'home'), clock);
  const folder = taken(left);
  if (folder === undefined) return false;
  const kind = sandboxIn(folder);
  if (kind !== undefined) await chooseSandboxes(kind, { home: join(folder, 'home'), clock, log: silentLog }).reapOrphans();
  if (removeUnmounted(folder)) return true;
  throw new Fault('failed', { message: `something is still mounted in ${folder}` });
}

/** Of two who clean up at once one gets it; should that one die, it is again a dead one's. */
function taken(left: string): string | undefined {
  const folder = makeFolder();
  try {
    renameSync(left, folder);
    return folder;
  } catch {
    rmdirSync(folder);
    return undefined;
  }
}

/** Undefined where it was not yet known, and so there are none. */
function sandboxIn(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, 'sandbox'), 'utf8');
  } catch {
    return undefined;
  }
}
