import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../kernel/fault.ts';
import { isShown } from './disk/again.ts';
import type { Disks } from './disk/index.ts';
import { hasDisk, keptName } from './disk/mounted.ts';
import type { Folder } from './local/folder.ts';
import { openLinks } from './local/links.ts';
import type { Links } from './local/links.ts';
import type { Left } from './orphans.ts';

interface OpenLeft {
  readonly folder: Folder;
  readonly links: Links;
  readonly keeps: boolean;
}

/**
 * The workspace of a dead worker's sandbox, and the files that were shown to it, with none of its ways out and none of the host's
 * folders. Throws Fault `sandbox_unavailable`.
 */
export async function openLeft({ id, path, uid }: Left, disks: Disks | undefined): Promise<OpenLeft> {
  await disks?.again(path);
  if (!isShown(path))
    throw new Fault('sandbox_unavailable', {
      message: `the workspace of ${id} is on a disk, and none can be mounted here`,
      hint: 'skep sandbox doctor says why',
    });
  const slot = join(path, 'slot');
  const links = openLinks([], { sockets: [], uid });
  await links.listening;
  return {
    folder: { path, slot, binds: [], sockets: [], isOnDisk: hasDisk(path) },
    links,
    keeps: existsSync(join(slot, keptName)),
  };
}
