import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import { thisOwner } from '../../../kernel/process-owner.ts';
import type { Sandbox, SandboxLimits, SandboxSpec } from '../../../worker/sandbox.ts';
import { keptName, makeFolder, removeFolder } from '../local/folder.ts';
import type { Folder } from '../local/folder.ts';
import { killUser } from '../local/host/owner.ts';
import { diskFault } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';
import type { UserIds } from '../local/host/user-ids.ts';
import { checkLimits } from '../limits.ts';
import { openLinks } from '../local/links.ts';
import type { Links } from '../local/links.ts';
import type { Ground } from './sandbox.ts';
import { createStartedSandbox } from './sandbox.ts';

/** Where the sandboxes of one provider live, and what it does with each. */
export interface Home {
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
  ground(made: Made): Omit<Ground, 'id' | 'limits' | 'clock' | 'remove'>;
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

/** Throws Fault `disk_full`, or `sandbox_unavailable` where the folder can't be used. */
export function openHome(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    readdirSync(folder);
  } catch (error) {
    if (diskFault(error) !== error) throw diskFault(error);
    throw new Fault('sandbox_unavailable', {
      message: `the folder ${folder} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      hint: `make it a folder of the user that runs the worker (uid ${process.geteuid?.() ?? '?'})`,
      cause: error,
    });
  }
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
    const folder = await makeFolder({ path, spec, uid, seccomp: home.filter, disks: undefined });
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

/** The workspace of a dead worker's sandbox, with none of its ways out and none of the host's folders. To remove it is the caller's business. */
export async function adoptSandbox(
  home: Home,
  { id, path, uid, limits }: Omit<Made, 'folder' | 'keeps'> & { path: string },
): Promise<Sandbox> {
  if (uid !== undefined) home.prepare?.(uid, limits);
  const folder = { path, slot: join(path, 'slot'), binds: [], sockets: [] };
  const links = openLinks([], { sockets: [], uid });
  await links.listening;
  const made = { id, limits, folder, uid, keeps: existsSync(join(folder.slot, keptName)) };
  return { ...standing(home, made, links), kill: () => Promise.resolve() };
}

function standing(home: Home, made: Made, links: Links): Sandbox {
  const { id, limits, uid, folder } = made;
  return createStartedSandbox({
    ...{ id, limits, clock: home.clock },
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
