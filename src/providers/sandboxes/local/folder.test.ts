import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SandboxSpec } from '../../../worker/sandbox.ts';
import { type Draft, draftName, makePlain, nameDraft } from './folder.ts';

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'skep-folder-'));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const limits = { memoryBytes: 2 ** 28, processCount: 16, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 64 * 2 ** 20 };
const spec = {
  id: 'one',
  limits,
  files: [{ path: '/skep/a/b', content: 'shown' }],
  folders: [{ from: '/usr', to: '/skep/usr' }],
};

function draft(folders: SandboxSpec['folders'] = []): Draft {
  const path = join(top, draftName());
  mkdirSync(join(path, 'slot/skep'), { recursive: true });
  writeFileSync(join(path, 'seccomp'), '');
  return { path, folders, isOnDisk: false };
}

it('gives a draft its name when all is in it, and takes no name that something has', () => {
  const path = join(top, 'one');
  const { slot } = nameDraft(draft(), path, spec);
  expect([readFileSync(join(slot, 'skep/a/b'), 'utf8'), existsSync(join(slot, 'skep/usr'))]).toEqual(['shown', true]);
  const second = draft();
  expect(() => nameDraft(second, path, spec)).toThrow('a sandbox one exists already');
  expect(existsSync(second.path)).toBe(true);
  const wrong = { ...spec, files: ['/skep/a', '/skep/a/b'].map(to => ({ path: to, content: '' })) };
  expect(() => nameDraft(draft(), join(top, 'two'), wrong)).toThrow('ENOTDIR');
  expect(existsSync(join(top, 'two'))).toBe(false);
});

it('makes a draft that was to show something else show nothing of that', () => {
  const other = draft([{ from: '/etc', to: '/skep/others/etc' }]);
  // As it lies on a disk.
  rmSync(join(other.path, 'slot/skep'), { recursive: true });
  mkdirSync(join(other.path, 'slot/disk/skep/others/etc'), { recursive: true });
  symlinkSync('disk/skep', join(other.path, 'slot/skep'));
  const { slot } = nameDraft(other, join(top, 'one'), spec);
  expect(readdirSync(join(slot, 'disk/skep')).sort()).toEqual(['a', 'usr']);
  expect(readlinkSync(join(slot, 'skep'))).toBe('disk/skep');
});

it('makes one of the compiled part fit for bubblewrap, and no younger', () => {
  const { path } = draft();
  const then = new Date(1_700_000_000_000);
  utimesSync(join(path, 'seccomp'), then, then);
  const folder = { path, slot: join(path, 'slot'), binds: [], sockets: [], isOnDisk: false };
  makePlain(folder, Buffer.from('filter'));
  makePlain(folder, Buffer.from('another'));
  expect([readFileSync(join(path, 'seccomp'), 'utf8'), statSync(join(path, 'seccomp')).mtimeMs]).toEqual([
    'filter',
    then.getTime(),
  ]);
  expect(readFileSync(join(path, 'slot/etc/passwd'), 'utf8')).toContain('agent');
});
