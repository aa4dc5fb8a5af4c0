import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Folder } from '../local/folder.ts';

/** The users that a container sees: without a user namespace its user keeps the number that it has on the host. */
export interface Etc {
  readonly passwd: string;
  readonly group: string;
}

export function etcOf({ path, slot }: Folder, uid: number | undefined): Etc {
  if (uid === undefined) return { passwd: join(slot, 'etc', 'passwd'), group: join(slot, 'etc', 'group') };
  const files = { passwd: join(path, 'passwd'), group: join(path, 'group') };
  writeFileSync(files.passwd, `agent:x:${uid}:${uid}:agent:/home/agent:/bin/sh\n`, { mode: 0o644 });
  writeFileSync(files.group, `agent:x:${uid}:\n`, { mode: 0o644 });
  return files;
}
