import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allPids, processInfo } from '../../../kernel/processes/info.ts';
import { findTools, run, SYSTEM_PATH } from '../local/host/tools.ts';
import type { Mounter } from '../local/host/tools.ts';
import { findNative } from '../local/native/index.ts';
import { isMounted, removeDisk } from './mounted.ts';
import { createMounter } from './mounter.ts';

const native = await findNative();
const tools = findTools(SYSTEM_PATH);

describe.skipIf('why' in native)('the compiled part', () => {
  let folder: string;
  let template: string;
  let mounter: Mounter;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skep-mounter '));
    template = join(folder, 'template');
    writeFileSync(template, '');
    await run('/usr/bin/truncate', ['--size', '8M', template]);
    await run('/usr/sbin/mkfs.ext4', ['-q', '-F', template]);
    mounter = createMounter('path' in native ? native.path : '');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function place(name: string): string {
    const path = join(folder, name);
    mkdirSync(path);
    return path;
  }

  it('mounts many at once, and says of each what went wrong', async () => {
    const places = Array.from({ length: 24 }, (_, i) => place(`number ${i}`));
    const wrong = place('wrong');
    const failed = mounter.disk('make', [join(folder, 'none'), wrong]);
    await Promise.all([
      expect(failed).rejects.toThrow(`skep-sandbox: open ${join(folder, 'none')}: No such file or directory`),
      ...places.map(each => mounter.disk('make', [template, each])),
    ]);
    expect(places.every(isMounted)).toBe(true);
    await Promise.all(places.map(each => mounter.disk('end', [each])));
    expect(places.some(isMounted)).toBe(false);
  });

  it('goes on when its process has ended', async () => {
    const [one, other] = [place('one'), place('other')];
    await mounter.disk('make', [template, one]);
    for (const pid of servers()) process.kill(pid, 'SIGKILL');
    await mounter.disk('make', [template, other]);
    await mounter.disk('end', [one]);
    await mounter.disk('end', [other]);
    expect([one, other].some(isMounted)).toBe(false);
  });

  it('is told no word that would be read as several', async () => {
    await expect(mounter.disk('make', [template, `${folder}/a\0b`])).rejects.toThrow(/a word of a request/);
    await expect(mounter.disk('make', [template, ''])).rejects.toThrow(/a word of a request/);
  });

  it('lays all that is around a sandbox, and removes it with nothing that is led to from there', async () => {
    const [path, group, other] = [join(folder, 'laid'), join(folder, 'group'), join(folder, 'other')];
    const uid = 1_999_200_000;
    const parts = ['group', group, 'disk', template, 'own', 'work', 'shown', 'skep', 'pipe', 'stdout0', 'mark', 'seccomp'];
    await mounter.ground([path, String(uid), ...parts]);
    const owners = ['slot/work', 'slot/disk/work', 'slot/skep', 'slot/disk/skep', 'stdout0', 'seccomp'];
    expect(owners.map(name => lstatSync(join(path, name)).uid)).toEqual([uid, uid, 0, 0, uid, 0]);
    expect([statSync(path).mode & 0o777, statSync(join(path, 'slot/skep')).mode & 0o777]).toEqual([0o700, 0o755]);
    expect(isMounted(path)).toBe(true);
    mkdirSync(other);
    writeFileSync(join(other, 'file'), '');
    symlinkSync(other, join(path, 'slot/link'));
    await mounter.clear(path, [group, join(folder, 'none')]);
    expect([path, group].map(each => existsSync(each))).toEqual([false, false]);
    expect(existsSync(join(other, 'file'))).toBe(true);
  });

  it('says what of a ground could not be laid', async () => {
    const ground = (...parts: string[]) => mounter.ground([join(folder, 'bad'), '7', ...parts]);
    await expect(ground('set', join(folder, 'none/limit'), '1')).rejects.toThrow('No such file or directory');
    await expect(ground('nonsense', 'a')).rejects.toThrow('no part of a ground: nonsense');
    await expect(mounter.ground([join(folder, 'bad'), '-1'])).rejects.toThrow('no user id: -1');
  });

  it('shuts nothing down that is no disk', async () => {
    const plain = place('plain');
    mkdirSync(join(plain, 'slot', 'disk'), { recursive: true });
    await mounter.disk('end', [plain]);
    writeFileSync(join(plain, 'slot', 'disk', 'file'), 'still here');
    await removeDisk(plain, { ...tools, mounter });
  });
});

function servers(): number[] {
  return allPids().filter(pid => processInfo(pid)?.argv.join(' ').endsWith(`mounts ${process.pid}`));
}
