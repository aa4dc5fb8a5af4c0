import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  copyPackage,
  isRoot,
  nobody,
  one,
  removeHomes,
  start,
  startElsewhere,
  tempHome,
} from '../../../test/harness/embedded.ts';
import { processInfo } from '../../kernel/processes/info.ts';
import { stopEmbedded } from './index.ts';
import { binariesIn, copyBinaries } from './place/binaries.ts';
import { makeSite } from './place/folder.ts';
import { chooseIdentity, reaches } from './place/identity.ts';

const closed: string[] = [];

afterEach(async () => {
  await removeHomes();
  for (const folder of closed.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A 0700 folder of root, below root's own home, as where a person who works as root keeps things. */
function closedFolder(): string {
  const folder = mkdtempSync(join(homedir(), 'skep-closed-'));
  chmodSync(folder, 0o700);
  closed.push(folder);
  return folder;
}

describe.runIf(isRoot)('as root', () => {
  test('home and programs below a 0700 folder', async () => {
    const folder = closedFolder();
    const packageFolder = copyPackage(join(folder, 'package'));
    const home = tempHome({ under: folder });
    const server = await start(home, { packageFolder });
    expect(await one(server.superuserUrl, 'SELECT 1')).toBe(1);
    expect(capabilities(server.pid)).toBe('0000000000000000');
    expect(await stopEmbedded(home)).toBe(true);
    expect(await start(home, { packageFolder })).toMatchObject({ adopted: false });
  });

  test('a home that belongs to an ordinary user stays hers', async () => {
    const home = tempHome({ uid: nobody });
    const ours = await start(home);
    expect(statSync(ours.dataFolder).uid).toBe(nobody);
    const other = startElsewhere(home, { uid: nobody });
    expect(await other.answer).toMatchObject({ adopted: true, pid: ours.pid });
    other.child.stdin?.end();
    expect(await stopEmbedded(home)).toBe(true);
    const later = startElsewhere(home, { uid: nobody });
    expect(await later.answer).toMatchObject({ adopted: false, port: ours.port });
    later.child.stdin?.end();
  });

  test('programs that the owner of the home cannot reach are copied for her', async () => {
    const packageFolder = copyPackage(join(closedFolder(), 'package'));
    const home = tempHome({ uid: nobody });
    const server = await start(home, { packageFolder });
    expect(processInfo(server.pid)?.argv[0]).toBe(join(home, 'postgres/native-18.4.0-beta.17/native/bin/postgres'));
  });

  test('without user namespaces: an unprivileged user where the way is open, else a refusal that says what to do', () => {
    const site = makeSite(join(tempHome(), 'new'));
    chmodSync(join(site.home, '..'), 0o755);
    const binaries = binariesIn(copyPackage(join(site.home, 'package')));
    const choice = { site, binaries, copyTo: join(site.root, 'copy'), mayUnshare: () => false };
    expect(chooseIdentity(choice).identity).toMatchObject({ as: 'user' });
    expect(statSync(site.root).uid).not.toBe(0);
    const shut = makeSite(join(closedFolder(), 'home'));
    expect(() => chooseIdentity({ ...choice, site: shut })).toThrow(
      expect.objectContaining({ code: 'database_unusable', hint: expect.stringMatching(/chmod o\+x/) as string }),
    );
  });

  test('library links that are missing in a package of another user are made in a copy', async () => {
    const folder = tempHome();
    chmodSync(folder, 0o755);
    const packageFolder = copyPackage(join(folder, 'package'));
    rmSync(join(packageFolder, 'native/lib/libpq.so.5'));
    const home = tempHome({ uid: nobody });
    const other = startElsewhere(home, { uid: nobody, packageFolder });
    expect(await other.answer).toMatchObject({ adopted: false });
    other.child.stdin?.end();
    expect(statSync(join(home, 'postgres/native-18.4.0-beta.17/native/lib/libpq.so.5')).isFile()).toBe(true);
  });

  test('an ordinary user starts, adopts and is stopped by root', async () => {
    const home = tempHome({ uid: nobody });
    const first = startElsewhere(home, { uid: nobody });
    const server = await first.answer;
    expect(server).toMatchObject({ adopted: false });
    first.child.stdin?.end();
    const second = startElsewhere(home, { uid: nobody });
    expect(await second.answer).toMatchObject({ adopted: true, pid: server?.['pid'] });
    second.child.stdin?.end();
    expect(await stopEmbedded(home)).toBe(true);
  });
});

test('whether a user reaches a folder is read from the modes of all folders above it', () => {
  const outer = tempHome();
  const inner = join(outer, 'a/b');
  mkdirSync(inner, { recursive: true, mode: 0o755 });
  const stranger = { uid: 12_345, gid: 12_345 };
  expect(reaches(stranger, inner)).toBe(false);
  chmodSync(outer, 0o711);
  expect(reaches(stranger, inner)).toBe(true);
});

test('a copy of the programs is complete', () => {
  const to = join(tempHome(), 'copy');
  const from = copyPackage(join(tempHome(), 'package'));
  rmSync(join(from, 'native/lib/libpq.so.5'));
  expect(copyBinaries(from, to).postgres).toBe(join(to, 'native/bin/postgres'));
  expect(statSync(join(to, 'native/lib/libpq.so.5')).isFile()).toBe(true);
});

function capabilities(pid: number): string | undefined {
  return /CapEff:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
}
