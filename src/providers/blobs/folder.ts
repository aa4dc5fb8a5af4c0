import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import type { BlobStore, ReceivedBlob } from '../../stages/runs/blobs.ts';

const headBytes = 64;

/** What lies in `incoming` for so long belongs to nobody any more: an upload has a deadline far below. */
const abandonedMs = 86_400_000;

/** Blobs as files under their hash: `ab/cdef…`. What is being received lies in `incoming`; servers may share the folder. */
export async function createFolderBlobs(folder: string, clock: Clock): Promise<BlobStore> {
  const incoming = join(folder, 'incoming');
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  await removeAbandoned(incoming, clock.now() - abandonedMs);
  const placeOf = (sha256: string) => join(folder, sha256.slice(0, 2), sha256.slice(2));

  async function keep(from: string, sha256: string): Promise<void> {
    const place = placeOf(sha256);
    await mkdir(join(place, '..'), { recursive: true, mode: 0o700 });
    await rename(from, place);
    // The name must survive a power cut as the content does, before a row says that it is there.
    await syncFolder(join(place, '..'));
    await syncFolder(folder);
  }

  return {
    async receive(source, bytesMax) {
      const path = join(incoming, randomUUID());
      try {
        const written = await writeDurably(path, source, bytesMax);
        return {
          ...written,
          keep: () => keep(path, written.sha256),
          discard: () => rm(path, { force: true }),
        } satisfies ReceivedBlob;
      } catch (error) {
        await rm(path, { force: true });
        throw diskFault(error);
      }
    },
    async read(sha256) {
      const place = placeOf(sha256);
      const found = await stat(place).catch(() => undefined);
      if (found === undefined) throw new Fault('blob_not_found');
      return createReadStream(place);
    },
  };
}

async function removeAbandoned(incoming: string, before: number): Promise<void> {
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < before) await rm(path, { force: true });
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeDurably(
  path: string,
  source: Readable,
  bytesMax: number,
): Promise<{ sha256: string; size: number; head: Buffer }> {
  const file = await open(path, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    let size = 0;
    let head = Buffer.alloc(0);
    for await (const chunk of source as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > bytesMax) throw new Fault('too_large', { message: `The upload is larger than ${bytesMax} bytes` });
      if (head.length < headBytes) head = Buffer.concat([head, chunk]).subarray(0, headBytes);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
    return { sha256: hash.digest('hex'), size, head };
  } finally {
    await file.close();
  }
}

function diskFault(error: unknown): unknown {
  const full = error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
  return full
    ? new Fault('disk_full', { hint: 'Free space under SKEP_HOME/blobs; nothing of the upload was kept', cause: error })
    : error;
}
