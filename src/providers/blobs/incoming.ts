import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import { isDead, thisOwner } from '../../kernel/processes/owner.ts';
import type { ReceivedBlob } from '../../stages/runs/blobs.ts';

/** A blob that lies in a file and is named by nobody yet. */
export interface ReceivedFile extends Omit<ReceivedBlob, 'keep'> {
  readonly path: string;
}

const headBytes = 64;

/** Of a process of which nothing is known: what it has not written to for so long is over, since an upload on which nothing moves is cut after two minutes. */
const abandonedMs = 3_600_000;

/** Where uploads wait until they are whole, whatever becomes of them then: a slow one must not hold a transaction open. */
export async function createIncoming(
  folder: string,
  clock: Clock,
): Promise<(source: Readable, bytesMax: number) => Promise<ReceivedFile>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeAbandoned(folder, clock);
  return async (source, bytesMax) => {
    const path = join(folder, `${randomUUID()}~${thisOwner()}`);
    // One that breaks off before the file is open would have no listener, and end the process; the reading throws it.
    source.on('error', () => {});
    try {
      const written = await writeDurably(path, source, bytesMax);
      return { ...written, path, discard: () => rm(path, { force: true }) };
    } catch (error) {
      await rm(path, { force: true });
      throw diskFault(error);
    }
  };
}

/** What a killed server was receiving; that of a dead process of this machine at once. Returns how many there were. */
export async function removeAbandoned(incoming: string, clock: Clock): Promise<number> {
  let count = 0;
  for (const name of await readdir(incoming).catch(() => [])) {
    const path = join(incoming, name);
    const found = await stat(path).catch(() => undefined);
    const isOver = isDead(name.split('~')[1] ?? '') || (found?.mtimeMs ?? 0) < clock.now() - abandonedMs;
    if (found === undefined || !isOver) continue;
    await rm(path, { force: true });
    count += 1;
  }
  return count;
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
