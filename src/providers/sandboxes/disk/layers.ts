import { linkSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import type { Tools } from '../local/host/tools.ts';
import { diskName, imageName, isMerged } from './mounted.ts';

/** A sealed disk that lies below a workspace. */
export interface Layer {
  readonly image: string;
  /** Where it is mounted already; else each workspace above it mounts it for itself. */
  readonly place: string | undefined;
  /** Whose all is that is in it. */
  readonly uid: number;
}

/** Of one workspace: it may begin as some snapshots, each of which began as some. */
const layersMax = 64;
const wordName = 'layers.json';

/**
 * Shows the disk of a folder over these, the topmost first. Their files are linked into the folder: they are there as long as it is,
 * whatever becomes of the snapshots, and the next worker knows what to mount.
 */
export async function stack(
  folder: string,
  { layers, uid }: { layers: readonly Layer[]; uid: number },
  tools: Tools,
): Promise<void> {
  const once = layers.filter(({ image }, i) => layers.findIndex(each => isSame(each.image, image)) === i);
  if (once.length > layersMax)
    throw new Fault('too_large', {
      message: `a workspace would begin as ${once.length} layers`,
      hint: `take snapshots of what began as fewer: ${layersMax} is all that it can have`,
    });
  for (const [i, { image }] of once.entries()) linkSync(image, linkOf(folder, i));
  writeFileSync(join(folder, wordName), JSON.stringify(once.map(layer => layer.uid)), { mode: 0o600, flag: 'wx' });
  await show(folder, { layers: once, uid }, tools);
}

/** The same again, for a folder that a dead worker has left. */
export async function stackAgain(folder: string, tools: Tools): Promise<void> {
  const layers = layersOf(folder);
  if (layers.length === 0 || isMerged(folder)) return;
  await show(folder, { layers, uid: ownerOf(folder) }, tools);
}

async function show(folder: string, { layers, uid }: { layers: readonly Layer[]; uid: number }, tools: Tools): Promise<void> {
  if (tools.mounter === undefined) throw new Error('only the compiled part of Skep can show one disk over others');
  const words = layers.flatMap(({ image, place, uid: owner }) => [place ?? image, String(owner)]);
  await tools.mounter.overlay([folder, String(uid), ...words]);
}

/** The disk of a snapshot, and what that lay on. */
export function sealed(folder: string, uid: number): readonly Layer[] {
  return [{ image: join(folder, imageName), place: join(folder, 'slot', diskName), uid }, ...layersOf(folder)];
}

/** A snapshot of a folder lies on what that lies on. */
export function passOn(from: string, to: string): void {
  const layers = layersOf(from);
  for (const [i, { image }] of layers.entries()) linkSync(image, linkOf(to, i));
  if (layers.length > 0) writeFileSync(join(to, wordName), JSON.stringify(layers.map(({ uid }) => uid)), { mode: 0o600 });
}

export function isLayered(folder: string): boolean {
  return lstatSync(join(folder, wordName), { throwIfNoEntry: false }) !== undefined;
}

/** Of those whose workspaces were given to a sandbox. */
export function ownerOf(folder: string): number {
  return lstatSync(join(folder, 'slot', 'work')).uid;
}

function layersOf(folder: string): readonly Layer[] {
  if (!isLayered(folder)) return [];
  const uids = JSON.parse(readFileSync(join(folder, wordName), 'utf8')) as readonly number[];
  return uids.map((uid, i) => ({ image: linkOf(folder, i), place: undefined, uid }));
}

function linkOf(folder: string, number: number): string {
  return join(folder, `layer-${number}.img`);
}

function isSame(one: string, other: string): boolean {
  return one === other || statSync(one).ino === statSync(other).ino;
}
