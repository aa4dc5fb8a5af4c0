import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import type { Cgroups } from './host/cgroups.ts';
import type { Host } from './host/made.ts';
import { findTools, SYSTEM_PATH } from './host/tools.ts';
import type { Tools } from './host/tools.ts';
import { createUserIds } from './host/user-ids.ts';
import type { UserIds } from './host/user-ids.ts';
import { createTurns } from '../../../kernel/turns.ts';
import { makeSandbox } from './sandbox.ts';

/** Far from those that sandboxes of this machine may be running as. */
const firstUid = 1_999_000_000;
const broken = '/bin/false';
const limits = { memoryBytes: 2 ** 28, processCount: 16, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 64 * 2 ** 20 };
const spec = { id: 'one', limits, files: [], folders: [] };
/** Its folder is half written when it is found that a file can't be a folder. */
const impossible = { ...spec, files: ['/skep/a', '/skep/a/b'].map(path => ({ path, content: '' })) };

let top: string;
let userIds: UserIds;
let groups: Set<string>;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'skep-sandbox-'));
  mkdirSync(join(top, 'sandboxes'));
  userIds = createUserIds({ folder: join(top, 'uids'), home: join(top, 'sandboxes'), base: firstUid, count: 2 });
  groups = new Set();
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

/** The kernel's groups as names: what is asked of them is that they are gone in the end. */
function named(create: (name: string) => void): Cgroups {
  const open: Cgroups['open'] = name => ({
    folders: [],
    joins: [],
    kill() {},
    oomKills: () => 0,
    remove: () => Promise.resolve(void groups.delete(name)),
  });
  return {
    kind: 'v2',
    controllers: [],
    open,
    create: open,
    plan: name => ({
      ...{ folders: [], settings: [] },
      make() {
        groups.add(name);
        create(name);
      },
    }),
  };
}

const notAsked = { why: 'not asked for', mend: 'ask' };

function host(tools: Partial<Tools> = {}, cgroups = named(() => {})): Host {
  const found = { ...findTools(SYSTEM_PATH), ...tools };
  const parts = {
    tools: found,
    seccomp: Buffer.alloc(0),
    clock: systemClock,
    inherited: [],
    countsProcesses: true,
    turns: createTurns({ atOnceMax: 1 }),
    taken: new Set<string>(),
  };
  return {
    ...parts,
    folder: join(top, 'sandboxes'),
    cgroups,
    userIds,
    disks: undefined,
    noDisks: notAsked,
    native: undefined,
    noNative: notAsked,
  };
}

describe('a sandbox that cannot be made', () => {
  it('leaves no folder, no group and no user id taken', async () => {
    await expect(makeSandbox(host(), impossible)).rejects.toThrow('ENOTDIR');
    expect([readdirSync(join(top, 'sandboxes')), [...groups], userIds.take()]).toEqual([[], [], firstUid]);
  });

  it('says why, and leaves no group, also where its folder cannot be removed; its user id stays with the files', async () => {
    const made = makeSandbox(host({ rm: broken }), impossible);
    await expect(made).rejects.toThrow('ENOTDIR');
    expect([...groups]).toEqual([]);
    expect(userIds.take()).toBe(firstUid + 1);
  });

  it('leaves no group whose limits could not be written', async () => {
    const refusing = named(() => {
      throw new Error('no such controller');
    });
    await expect(makeSandbox(host({}, refusing), spec)).rejects.toThrow('no such controller');
    expect([[...groups], userIds.take()]).toEqual([[], firstUid]);
  });
});

describe.skipIf(process.geteuid?.() !== 0)('a sandbox that is removed', () => {
  it('gives its user id back', async () => {
    await (await makeSandbox(host(), spec)).kill();
    expect([[...groups], userIds.take()]).toEqual([[], firstUid]);
  });

  it('gives its user id back when its group is gone: the next to have the id makes one of the same name', async () => {
    const sandbox = await makeSandbox(host(), spec);
    const { release } = userIds;
    let left: string[] | undefined;
    userIds = { ...userIds, release: released };
    function released(uid: number): void {
      left = [...groups];
      release(uid);
    }

    await (await makeSandbox(host(), { ...spec, id: 'two' })).kill();
    expect(left).toEqual([String(firstUid)]);
    await sandbox.kill();
  });

  it('keeps its user id while its files are there', async () => {
    const sandbox = await makeSandbox(host({ rm: broken }), spec);
    await expect(sandbox.kill()).rejects.toThrow('could not be removed');
    expect([[...groups], userIds.take()]).toEqual([[], firstUid + 1]);
  });
});
