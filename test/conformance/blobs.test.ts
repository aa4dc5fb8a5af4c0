import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Chunks, openChunks } from '../../src/db/chunks.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createDatabaseBlobs } from '../../src/providers/blobs/database.ts';
import { createFolderBlobs } from '../../src/providers/blobs/folder.ts';
import type { BlobStore } from '../../src/stages/runs/index.ts';
import { query, type TestDatabase, testDatabase } from '../harness/database.ts';
import { endAll, tempFolder } from '../harness/process.ts';

let place: TestDatabase;
let chunks: Chunks;
beforeAll(async () => {
  place = await testDatabase();
  chunks = openChunks(place.engineUrl, silentLog);
});
afterEach(endAll);
afterAll(async () => {
  await chunks.close();
  await place.close();
});

const stores = {
  folder: (folder: string): Promise<BlobStore> => createFolderBlobs(folder, systemClock),
  database: (folder: string): Promise<BlobStore> => createDatabaseBlobs({ chunks, folder, clock: systemClock }),
};

// What is no longer held must not count as memory that is needed.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const mebibyte = 1_048_576;
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const stream = (content: Buffer) => Readable.from(content.length === 0 ? [] : [content], { objectMode: false });
const put = async (store: BlobStore, content: Buffer): Promise<string> => {
  const blob = await store.receive(stream(content), content.length);
  await blob.keep();
  await blob.discard();
  return blob.sha256;
};
const read = async (store: BlobStore, name: string) => buffer(await store.read(name));

describe.each(Object.entries(stores))('blobs in a %s', (_, open) => {
  test.each([0, 1, 63, 64, 65, mebibyte - 1, mebibyte, mebibyte + 1, 3 * mebibyte])(
    '%i bytes come back as they were',
    async size => {
      const store = await open(tempFolder());
      const content = randomBytes(size);
      const blob = await store.receive(stream(content), size);
      expect(blob).toMatchObject({ sha256: sha256(content), size, head: content.subarray(0, 64) });
      await blob.keep();
      await blob.discard();
      expect((await read(store, blob.sha256)).equals(content)).toBe(true);
    },
  );

  test('what was kept is there for a store that is opened anew', async () => {
    const folder = tempFolder();
    const name = await put(await open(folder), Buffer.from('still here'));
    expect(String(await read(await open(folder), name))).toBe('still here');
  });

  test('what was not kept is not there, and leaves nothing behind', async () => {
    const folder = tempFolder();
    const store = await open(folder);
    const blob = await store.receive(stream(Buffer.from('let go of')), 100);
    await expect(store.read(blob.sha256)).rejects.toMatchObject({ code: 'blob_not_found' });
    await blob.discard();
    await blob.discard();
    await expect(store.read(blob.sha256)).rejects.toMatchObject({ code: 'blob_not_found' });
    expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
  });

  test('one byte too many is refused, and leaves nothing behind', async () => {
    const folder = tempFolder();
    const store = await open(folder);
    await expect(store.receive(stream(randomBytes(101)), 100)).rejects.toMatchObject({ code: 'too_large' });
    expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
  });

  test('a source that breaks off is passed on, and leaves nothing behind', async () => {
    const folder = tempFolder();
    const store = await open(folder);
    const source = new PassThrough();
    const received = store.receive(source, 1_000);
    source.write('half of it');
    source.destroy(new Error('the line is cut'));
    await expect(received).rejects.toThrow('the line is cut');
    expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
  });

  test('the same content kept ten times at once is one blob', async () => {
    const store = await open(tempFolder());
    const content = randomBytes(2 * mebibyte + 17);
    const names = await Promise.all(Array.from({ length: 10 }, () => put(store, content)));
    expect(new Set(names)).toEqual(new Set([sha256(content)]));
    expect((await read(store, sha256(content))).equals(content)).toBe(true);
  });

  test('a name that nobody has stored is not found', async () => {
    const store = await open(tempFolder());
    for (const name of ['0'.repeat(64), '', '../../etc/passwd'])
      await expect(store.read(name)).rejects.toMatchObject({ code: 'blob_not_found' });
  });

  test('128 MiB go in and out in less memory than half of that', async () => {
    const store = await open(tempFolder());
    const piece = randomBytes(mebibyte);
    const hash = createHash('sha256');
    let highest = 0;
    const look = () => {
      collectGarbage();
      highest = Math.max(highest, process.memoryUsage().arrayBuffers);
    };
    async function* source(): AsyncGenerator<Buffer> {
      for (let count = 0; count < 128; count++) {
        piece.writeUInt32BE(count);
        hash.update(piece);
        if (count % 16 === 0) look();
        yield Buffer.from(piece);
      }
    }
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    const blob = await store.receive(Readable.from(source(), { objectMode: false }), 128 * mebibyte);
    await blob.keep();
    await blob.discard();
    const back = createHash('sha256');
    let read = 0;
    for await (const chunk of (await store.read(blob.sha256)) as AsyncIterable<Buffer>) {
      if (read % (16 * mebibyte) === 0) look();
      read += chunk.length;
      back.update(chunk);
    }
    expect(back.digest('hex')).toBe(hash.digest('hex'));
    expect(highest - before).toBeLessThan(64 * mebibyte);
  });
});

describe('in a database', () => {
  test('another server, with an empty folder, has them too', async () => {
    const content = randomBytes(mebibyte + 5);
    const name = await put(await stores.database(tempFolder()), content);
    expect((await read(await stores.database(tempFolder()), name)).equals(content)).toBe(true);
  });

  test('what a server kept in its folder before is found there still', async () => {
    const folder = tempFolder();
    const name = await put(await stores.folder(folder), Buffer.from('from before'));
    expect(String(await read(await stores.database(folder), name))).toBe('from before');
  });

  test('one whose keeping breaks off is not there at all', async () => {
    const name = '1'.repeat(64);
    async function* breaking(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(mebibyte);
      throw new Error('the disk is gone');
    }
    await expect(chunks.write(name, breaking())).rejects.toThrow('the disk is gone');
    expect(await query(place.superuserUrl, 'select from skep.blob_chunks where sha256 = $1', [name])).toEqual([]);
  });

  test('more uploads at once than there are connections are all kept, while their own transactions are open', async () => {
    const store = await stores.database(tempFolder());
    const contents = Array.from({ length: 30 }, () => randomBytes(1_000));
    await Promise.all(
      contents.map(content =>
        place.database.engine({ tenantId: '6f4b5f0e-1111-4222-8333-444455556666', actor: 'test' }, () => put(store, content)),
      ),
    );
    for (const content of contents) expect((await read(store, sha256(content))).equals(content)).toBe(true);
  });

  test('a reader that stands still holds no connection', async () => {
    const store = await stores.database(tempFolder());
    const content = randomBytes(3 * mebibyte);
    const name = await put(store, content);
    const still = await Promise.all(Array.from({ length: 20 }, () => store.read(name)));
    expect((await read(store, name)).equals(content)).toBe(true);
    for (const stream of still) stream.destroy();
  });

  test('the wall: the role that serves requests reads none of them', async () => {
    await expect(query(place.appUrl, 'select from skep.blob_chunks')).rejects.toThrow('permission denied');
  });
});
