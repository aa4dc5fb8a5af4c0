import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import { thisOwner } from '../../../kernel/processes/owner.ts';
import type { Sandbox, SandboxLimits, SandboxSpec } from '../../../worker/sandbox.ts';
import type { FoundDisks } from '../disk/index.ts';
import { openLeft } from '../left.ts';
import { makeFolder, removeFolder } from '../local/folder.ts';
import type { Folder } from '../local/folder.ts';
import { killUser } from '../local/host/owner.ts';
import { diskFault } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';
import type { UserIds } from '../local/host/user-ids.ts';
import { checkLimits } from '../limits.ts';
import type { Left } from '../orphans.ts';
import { openLinks } from '../local/links.ts';
import type { Links } from '../local/links.ts';
import type { Ground } from './sandbox.ts';
import { createStartedSandbox } from './sandbox.ts';

/** Where the sandboxes of one provider live, and what it does with each. */
export interface Home extends FoundDisks {
  readonly folder: string;
  readonly clock: Clock;
  readonly tools: Tools;
  /** Present when the worker is root; then each sandbox runs as an id of its own. */
  readonly userIds: UserIds | undefined;
  /** The content of the filter of system calls, and the last file that is written when a sandbox is made. */
  readonly filter: Buffer;
  /** Made before a sandbox's folder: throws what stands in the way of the limits. */
  prepare?(uid: number, limits: SandboxLimits): void;
  /** How commands run in what was made. */
  ground(made: Made): Omit<Ground, 'id' | 'limits' | 'home' | 'folder' | 'remove'>;
  /** Ends what still runs as this id, and what belongs to it beside files. */
  clear(uid: number): Promise<void>;
}

export interface Made {
  readonly id: string;
  readonly limits: SandboxLimits;
  readonly folder: Folder;
  readonly uid: number | undefined;
  readonly keeps: boolean;
}

/** A name on the host that tells its owner, so that nothing that a dead worker has left is taken for a live one's. */
function folderName(id: string): string {
  return `${id}~${thisOwner()}`;
}

export async function makeSandbox(home: Home, spec: SandboxSpec): Promise<Sandbox> {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(spec.id))
    throw new Fault('invalid_request', { message: `"${spec.id}" is no name for a sandbox`, hint: 'letters, digits and dashes' });
  checkLimits(spec.limits);
  const path = join(home.folder, folderName(spec.id));
  const uid = home.userIds?.take();
  let links: Links | undefined;
  try {
    if (uid !== undefined) home.prepare?.(uid, spec.limits);
    const folder = await makeFolder({ path, spec, uid, group: undefined, seccomp: home.filter, disks: home.disks });
    links = openLinks(spec.links ?? [], { sockets: folder.sockets, uid });
    await links.listening;
    return standing(home, { id: spec.id, limits: spec.limits, folder, uid, keeps: spec.keeps === true }, links);
  } catch (error) {
    await links?.close();
    const isOthers = error instanceof Fault && error.code === 'already_exists';
    // What could not be made is what the caller must hear of; that its folder stays is for the next worker to mend.
    await removeTraces(home, { path: isOthers ? undefined : path, uid }).catch(() => {});
    throw diskFault(error);
  }
}

/** What a dead worker has left, to be looked at. To remove it is the business of who adopts it. */
export async function adoptSandbox(home: Home, left: Left): Promise<Sandbox> {
  const { id, uid, limits } = left;
  const { folder, links, keeps } = await openLeft(left, home.disks);
  if (uid !== undefined) home.prepare?.(uid, limits);
  return { ...standing(home, { id, limits, folder, uid, keeps }, links), kill: () => Promise.resolve() };
}

function standing(home: Home, made: Made, links: Links): Sandbox {
  const { id, limits, uid, folder } = made;
  return createStartedSandbox({
    ...{ id, limits, home, folder },
    ...home.ground(made),
    async remove(haunting) {
      if (uid !== undefined) killUser(uid);
      await links.close();
      // Whoever does not end keeps its user id.
      await removeTraces(home, { path: folder.path, uid: haunting ? undefined : uid });
    },
  });
}

/** A user id whose files could not be removed stays taken: they would be the next sandbox's. */
async function removeTraces(home: Home, { path, uid }: { path: string | undefined; uid: number | undefined }): Promise<void> {
  if (path !== undefined) await removeFolder(path, home.tools);
  if (uid === undefined) return;
  await home.clear(uid);
  home.userIds?.release(uid);
}
