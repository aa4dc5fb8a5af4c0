import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ofMinute = /^session-\d{4}-\d\d-\d\dT\d\d-\d\d-(?<id>[^/]+)$/;

/**
 * Gives the conversations below this folder that are named by the minute names without it. Gemini CLI finds them by how such a name begins and by
 * what is in it, and begins a file of the same id before it reads the one that it is to go on with: in the same minute, over that one.
 */
export function setAside(folder: string): void {
  try {
    for (const { name, parentPath } of readdirSync(folder, { withFileTypes: true, recursive: true })) {
      const id = ofMinute.exec(name)?.groups?.['id'];
      if (id === undefined) continue;
      const aside = join(parentPath, `session-before-${id}`);
      // What is there is the conversation; the other has been begun beside it, and is empty.
      if (existsSync(aside)) rmSync(join(parentPath, name));
      else renameSync(join(parentPath, name), aside);
    }
  } catch {
    // What the agent has left in a way in which it can't be read is not gone on with; the turn is had all the same.
  }
}
