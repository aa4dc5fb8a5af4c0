import { readFileSync, rmSync } from 'node:fs';

/** Removes a folder in which sandboxes were. False where something is still mounted there: that would be emptied, and not removed. */
export function removeUnmounted(folder: string): boolean {
  // As the kernel writes it.
  const written = folder.replaceAll(/[\s\\]/g, letter => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`);
  if (readFileSync('/proc/self/mounts', 'utf8').includes(`${written}/`)) return false;
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  return true;
}
