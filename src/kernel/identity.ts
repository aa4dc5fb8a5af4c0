import { type BigIntStats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * What lies at a path, so that something else that takes its name is told from it; undefined where nothing can be seen there. A folder that is
 * made again may get the inode of the one before it, but not its birth.
 */
export async function identityOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : wordsOf(found);
}

/** The same at once, for what takes microseconds. */
export function identityNow(path: string): string | undefined {
  try {
    return wordsOf(statSync(path, { bigint: true }));
  } catch {
    return undefined;
  }
}

function wordsOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`;
}
