import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import type { Sandbox } from '../../../worker/sandbox.ts';
import type { Left } from '../orphans.ts';
import { hasDisk, isMounted } from './disk/mounted.ts';
import { keptName } from './folder.ts';
import { openLinks } from './links.ts';
import { createSandbox } from './sandbox.ts';
import type { Host } from './sandbox.ts';

/**
 * The workspace of a dead worker's sandbox, and the files that were shown to it, with none of its ways out and none of the host's
 * folders. To remove it is the business of who adopts it.
 */
export async function adoptSandbox(host: Host, { id, path, uid, limits }: Left): Promise<Sandbox> {
  if (host.disks !== undefined) await host.disks.again(path);
  else if (hasDisk(path) && !isMounted(path))
    throw new Fault('sandbox_unavailable', {
      message: `the workspace of ${id} is on a disk, and none can be mounted here`,
      hint: 'skep sandbox doctor says why',
    });
  const cgroup = uid === undefined ? undefined : host.cgroups?.create(String(uid), limits);
  const folder = { path, slot: join(path, 'slot'), binds: [], sockets: [] };
  const links = openLinks([], { sockets: [], uid });
  await links.listening;
  const spec = { id, limits, files: [], folders: [], keeps: existsSync(join(folder.slot, keptName)) };
  return { ...createSandbox({ host, spec, folder, uid, cgroup, links }), kill: () => Promise.resolve() };
}
