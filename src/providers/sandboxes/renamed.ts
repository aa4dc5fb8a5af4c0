import { renameSync } from 'node:fs';

/** False where it is not there any more: of two workers that want it one is faster. Throws what else stands in the way. */
export function renamed(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return false;
  }
}
