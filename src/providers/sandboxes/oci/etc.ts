import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Folder } from '../local/folder.ts';

export interface Etc {
  /** The users that a container sees: without a user namespace its user keeps the number that it has on the host. */
  readonly passwd: string;
  readonly group: string;
  /** Empty: Docker would show the name servers of the host, also where there is no network. */
  readonly resolv: string;
}

export function etcOf({ path, slot }: Folder, uid: number | undefined): Etc {
  const resolv = join(path, 'resolv.conf');
  writeFileSync(resolv, '', { mode: 0o644 });
  if (uid === undefined) return { passwd: join(slot, 'etc', 'passwd'), group: join(slot, 'etc', 'group'), resolv };
  const files = { passwd: join(path, 'passwd'), group: join(path, 'group'), resolv };
  writeFileSync(files.passwd, `agent:x:${uid}:${uid}:agent:/home/agent:/bin/sh\n`, { mode: 0o644 });
  writeFileSync(files.group, `agent:x:${uid}:\n`, { mode: 0o644 });
  return files;
}
