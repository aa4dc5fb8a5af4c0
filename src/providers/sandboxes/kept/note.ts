import { closeSync, fsyncSync, lstatSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { digestOf } from './digest.ts';

/** How a snapshot lies in its folder, and where: what one way of making sandboxes has kept another does not know to open. */
const files = { disk: 'disk.img', archive: 'shown/work.tar' } as const;

export type Kind = keyof typeof files;

/** What a note says changes its number where it changes its meaning: one of another number is not used. */
const schema = z.strictObject({
  format: z.literal(1),
  kind: z.enum(['disk', 'archive']),
  /** Whose all is that is in it. */
  uid: z.number().int(),
  digest: z.string(),
  /** The worker's. */
  text: z.string(),
});

export type KeptNote = z.infer<typeof schema>;

const noteName = 'kept.json';
const noteBytesMax = 8 * 2 ** 20;

/**
 * Beside a snapshot that is to outlive its worker, and the last that is written of it: a folder without it was never whole. All that it
 * speaks of is on the disk before.
 */
export async function writeNote(place: string, about: Omit<KeptNote, 'format' | 'digest'>): Promise<void> {
  await stored(join(place, files[about.kind]));
  const note: KeptNote = { format: 1, ...about, digest: await digestOf(place, files[about.kind]) };
  const draft = join(place, `${noteName}.new`);
  writeFileSync(draft, JSON.stringify(note), { mode: 0o600, flush: true });
  renameSync(draft, join(place, noteName));
  syncFolder(place);
}

/** Undefined where there is none, or none that can be read. */
export function readNote(place: string): KeptNote | undefined {
  try {
    const file = join(place, noteName);
    const found = lstatSync(file);
    if (!found.isFile() || found.size > noteBytesMax) return undefined;
    return schema.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

export function hasNote(place: string): boolean {
  return lstatSync(join(place, noteName), { throwIfNoEntry: false }) !== undefined;
}

export async function isAsNoted(place: string, { kind, digest }: KeptNote): Promise<boolean> {
  return (await digestOf(place, files[kind])) === digest;
}

async function stored(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
