import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join, posix } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { thisOwner } from '../../../kernel/processes/owner.ts';
import type { SandboxSpec } from '../../../worker/sandbox.ts';
import type { Disks } from '../disk/index.ts';
import { isLayered } from '../disk/layers.ts';
import { diskName, hasDisk, isMounted, keptName, mergedName, removeDisk, shownName } from '../disk/mounted.ts';
import type { GroupPlan } from './host/cgroups.ts';
import { run } from './host/tools.ts';
import type { Tools } from './host/tools.ts';
import { pipesOf } from './lanes.ts';

/**
 * The folder of one sandbox on the host. `path` is for its owner alone; `slot` is the part that the sandbox gets to see,
 * bound to a reachable place where the uid could not walk to it.
 */
export interface Folder {
  readonly path: string;
  readonly slot: string;
  /** Host folders with the name under which each is bound into the slot. */
  readonly binds: readonly { readonly from: string; readonly name: string; readonly to: string }[];
  /** Where the sockets of links belong, in the order of the spec. */
  readonly sockets: readonly string[];
  /** Whether the workspace is a disk of its own. */
  readonly isOnDisk: boolean;
}

interface Ground {
  readonly path: string;
  readonly spec: Pick<SandboxSpec, 'limits' | 'keeps' | 'from'>;
  readonly uid: number | undefined;
  readonly disks: Disks | undefined;
  /** Made before all else. */
  readonly group: GroupPlan | undefined;
}

interface Make extends Ground {
  readonly spec: SandboxSpec;
  readonly seccomp: Buffer;
}

/** Writes the folder, as bubblewrap and containers show it. Throws Fault `already_exists`, `disk_full`, `invalid_request`, or the errors of the file system. */
export async function makeFolder({ path, spec, seccomp, ...ground }: Make): Promise<Folder> {
  const made = folderOf(path, spec, ground.disks !== undefined);
  checkHost(spec.folders);
  makeOnce(path, spec.id);
  await layGround({ path, spec, ...ground });
  for (const { name } of made.binds) folder(join(made.slot, name));
  layEtc(made.slot);
  writeShown(made.slot, spec);
  writeFileSync(join(path, filterName), seccomp, { mode: 0o600 });
  return made;
}

/** No sandbox has such a name. What a worker that was killed leaves of it is nobody's work. */
export function draftName(): string {
  return `_.${randomBytes(4).toString('hex')}~${thisOwner()}`;
}

/**
 * What of a folder is the same for all sandboxes of the compiled part with the same limits, at a `draftName`: all but what a sandbox shows.
 * A new folder on the host's disk costs more than all else, so there are as few as can be.
 */
export async function makeDraft(path: string, { spec, uid, disks, group, seccomp }: Omit<Make, 'path'>): Promise<void> {
  const { from = [], keeps = false } = spec;
  if (disks?.lay === undefined || uid === undefined || (from.length > 0 && !disks.canStack)) {
    mkdirSync(path, { mode: 0o700 });
    await layGround({ path, spec, uid, disks, group });
    writeFileSync(join(path, filterName), seccomp, { mode: 0o600 });
    return;
  }
  const { stdout, stderr } = pipesOf('', 0);
  const names = { pipes: [stdout, stderr], mark: filterName };
  await disks.lay(path, { from, bytes: spec.limits.workspaceBytes, uid, keeps, group, ...names });
  if (from.length > 0) ownFolder(join(path, 'slot'), 'work', { uid, isOnDisk: true });
}

/** The folder that a draft is as yet, with where folders of the host are to be shown in it. Throws Fault `invalid_request`. */
export function showInDraft({ path, isOnDisk }: Omit<Draft, 'folders'>, spec: SandboxSpec): Folder {
  const made = folderOf(path, spec, isOnDisk);
  checkHost(spec.folders);
  writeShown(made.slot, spec);
  return made;
}

/** A draft that is to become the folder of a sandbox. */
export interface Draft {
  readonly path: string;
  readonly isOnDisk: boolean;
  /** What it shows already, and still lies there. */
  readonly folders: SandboxSpec['folders'];
}

/** Makes a draft the folder of a sandbox: with its last step, so that whoever finds that finds all of it. Throws as `makeFolder` does. */
export function nameDraft(draft: Draft, path: string, spec: SandboxSpec): Folder {
  const named = folderOf(path, spec, draft.isOnDisk);
  const slot = join(draft.path, 'slot');
  const isShown = sameFolders(draft.folders, spec.folders);
  if (!isShown) checkHost(spec.folders);
  if (!isShown && draft.folders.length > 0) {
    // Not even the names of what another sandbox was to show. On a disk it is a link, which stays.
    const shown = realpathSync(join(slot, shownName));
    for (const name of readdirSync(shown)) rmSync(join(shown, name), { recursive: true });
  }
  writeShown(slot, isShown ? { ...spec, folders: [] } : spec);
  nameOnce(draft.path, path, spec.id);
  return named;
}

/** Whether these are the same, at the same places, in the same order. */
export function sameFolders(some: SandboxSpec['folders'], others: SandboxSpec['folders']): boolean {
  return some.length === others.length && some.every(({ from, to }, i) => from === others[i]?.from && to === others[i]?.to);
}

/** Its time is that at which it was made, and without it a folder is no sandbox yet. The compiled part, which has the filter itself, leaves it empty. */
const filterName = 'seccomp';

function folderOf(path: string, { folders: shown, links = [] }: SandboxSpec, isOnDisk: boolean): Folder {
  const slot = join(path, 'slot');
  const binds = shown.map(({ from, to }, index) => ({ from, name: `ro${index}`, to: skepPath(to) }));
  return { path, slot, binds, isOnDisk, sockets: links.map(link => join(slot, skepPath(link.path))) };
}

function writeShown(slot: string, { files, folders: shown, links = [] }: SandboxSpec): void {
  const at = (path: string): string => join(slot, skepPath(path));
  for (const { path, content } of files) readable(at(path), content, slot);
  for (const { to } of shown) folders(at(to), slot);
  for (const { path } of links) folders(dirname(at(path)), slot);
}

/** What is the same for all sandboxes of the same limits, in a folder that is there and empty. */
async function layGround({ path, spec, uid, disks, group }: Ground): Promise<void> {
  const slot = join(path, 'slot');
  const bytes = spec.limits.workspaceBytes;
  const from = spec.from ?? [];
  group?.make();
  if (from.length === 0) await disks?.put(path, bytes);
  else await disks?.putFrom(path, { from, bytes, uid: uid ?? 0 });
  // The umask of the worker must not decide what the sandbox can read, so every mode is set by name.
  const own = ['work', ...(spec.keeps === true ? [keptName] : [])];
  for (const name of own) ownFolder(slot, name, { uid, isOnDisk: disks !== undefined });
  for (const name of ['', shownName]) folder(join(slot, name));
}

/** For bubblewrap and containers: what the compiled part brings itself. */
function layEtc(slot: string): void {
  folder(join(slot, 'etc'));
  for (const [name, content] of etcContent) readable(join(slot, 'etc', name), content, slot);
}

/** A folder that the compiled part has made, for who must do without it. It is as old as before. */
export function makePlain({ path, slot }: Folder, seccomp: Buffer): void {
  if (!existsSync(join(slot, 'etc'))) layEtc(slot);
  const filter = join(path, filterName);
  const { size, atime, mtime } = lstatSync(filter);
  if (size > 0) return;
  writeFileSync(filter, seccomp, { mode: 0o600 });
  utimesSync(filter, atime, mtime);
}

/** On a disk, a link leads to it from where it is without one: whose it is can be seen also while the disk is not mounted. */
function ownFolder(slot: string, name: string, { uid, isOnDisk }: { uid: number | undefined; isOnDisk: boolean }): void {
  const place = name === 'work' && isLayered(dirname(slot)) ? mergedName : join(diskName, name);
  const path = isOnDisk ? join(slot, place) : join(slot, name);
  folder(path);
  if (uid !== undefined) chownSync(path, uid, uid);
  if (!isOnDisk) return;
  symlinkSync(place, join(slot, name));
  if (uid !== undefined) lchownSync(join(slot, name), uid, uid);
}

/**
 * Removes a folder that an agent has filled: with rm, which never follows a link and walks by descriptors, so that neither
 * depth nor names that are no text stop it. An ordinary user must first give itself the right to folders made read-only. The groups may
 * go with it, where that costs no step more, or stay.
 */
export async function removeFolder(path: string, tools: Tools, groups?: readonly string[]): Promise<void> {
  try {
    await removeWithDisk(path, tools, groups);
    if (!existsSync(path)) return;
    await run(tools.rm, ['-rf', '--one-file-system', '--', path]);
  } catch (error) {
    if (!existsSync(path)) return;
    // What a worker that was killed had just begun to mount is there a moment later.
    await removeWithDisk(path, tools).catch(() => {});
    await run(tools.chmod, ['-R', 'u+rwX', '--', path]).catch(() => {});
    await run(tools.rm, ['-rf', '--', path]).catch((again: unknown) => {
      throw new Fault('failed', { message: `the folder of a sandbox could not be removed: ${String(again)}`, cause: error });
    });
  }
}

/** Without it all that is left was written by the host. */
async function removeWithDisk(path: string, tools: Tools, groups?: readonly string[]): Promise<void> {
  if (hasDisk(path) || isMounted(path)) await removeDisk(path, tools, groups);
}

/** Standard input as a file that the caller opens and unlinks: complete before the command starts, and nothing of it stays on the disk. */
export function stdinPath(folder: Folder, content: string | Uint8Array, uid: number | undefined): string {
  const file = join(folder.path, `stdin-${randomBytes(4).toString('hex')}`);
  try {
    writeFileSync(file, content, { mode: 0o600, flag: 'wx' });
    if (uid !== undefined) chownSync(file, uid, uid);
    return file;
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/** What stands in /etc of a sandbox beside what is the host's. */
export const etcContent = [
  ['passwd', 'agent:x:1000:1000:agent:/home/agent:/bin/sh\n'],
  ['group', 'agent:x:1000:\n'],
  ['hosts', '127.0.0.1 localhost skep\n::1 localhost skep\n'],
  ['nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files\n'],
] as const;

function makeOnce(path: string, id: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    throw existsFault(id);
  }
}

function nameOnce(draft: string, path: string, id: string): void {
  try {
    renameSync(draft, path);
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST');
    throw isTaken ? existsFault(id) : error;
  }
}

export function existsFault(id: string): Fault {
  return new Fault('already_exists', { message: `a sandbox ${id} exists already` });
}

function readable(file: string, content: string, top: string): void {
  folders(dirname(file), top);
  writeFileSync(file, content, { flag: 'wx' });
  chmodSync(file, 0o444);
}

function folders(path: string, top: string): void {
  if (path === top || existsSync(path)) return;
  folders(dirname(path), top);
  folder(path);
}

function folder(path: string): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o755);
}

function skepPath(path: string): string {
  if (/^\/skep\/./.test(path) && posix.normalize(path) === path && !path.endsWith('/') && !path.includes('\0')) return path;
  throw new Fault('invalid_request', { message: `"${path}" is not a plain path under /skep` });
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Throws Fault `invalid_request` where one of them can't be shown. */
function checkHost(shown: SandboxSpec['folders']): void {
  const wrong = shown.find(({ from }) => !isAbsolute(from) || !isFolder(from));
  if (wrong !== undefined) throw new Fault('invalid_request', { message: `"${wrong.from}" is not a folder of this machine` });
}
