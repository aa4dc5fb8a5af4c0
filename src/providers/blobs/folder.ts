import { createReadStream } from 'node:fs';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import type { BlobStore } from '../../stages/runs/blobs.ts';
import { createIncoming } from './incoming.ts';

/** Blobs as files under their hash: `ab/cdef…`. What is being received lies in `incoming`; servers may share the folder. */
export async function createFolderBlobs(folder: string, clock: Clock): Promise<BlobStore> {
  const receive = await createIncoming(join(folder, 'incoming'), clock);

  async function keep(from: string, sha256: string): Promise<void> {
    const place = placeOf(folder, sha256);
    await mkdir(join(place, '..'), { recursive: true, mode: 0o700 });
    await rename(from, place);
    // The name must survive a power cut as the content does, before a row says that it is there.
    await syncFolder(join(place, '..'));
    await syncFolder(folder);
  }

  return {
    async receive(source, bytesMax) {
      const { path, ...received } = await receive(source, bytesMax);
      return { ...received, keep: () => keep(path, received.sha256) };
    },
    async read(sha256) {
      const place = placeOf(folder, sha256);
      const found = isName.test(sha256) ? await stat(place).catch(() => undefined) : undefined;
      if (found === undefined) throw new Fault('blob_not_found');
      return createReadStream(place);
    },
  };
}

/** Anything else could name a file that is no blob. */
const isName = /^[0-9a-f]{64}$/;

function placeOf(folder: string, sha256: string): string {
  return join(folder, sha256.slice(0, 2), sha256.slice(2));
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
