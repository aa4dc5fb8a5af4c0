import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { DENIED } from '../local/seccomp/syscalls.ts';
import { processesByStarter, runArguments } from './arguments.ts';
import { ALLOWED } from './calls.ts';
import type { Engine, Teller } from './engine.ts';
import { tellerOf } from './engine.ts';
import { emptyImage } from './image.ts';
import { seccompProfile } from './seccomp.ts';

const engine: Engine = {
  ...{ name: 'podman', argv: ['/usr/bin/podman'], runtime: 'runc', hasOpenGroups: false, openFilesMax: 4_096, env: {} },
  run: () => Promise.resolve(''),
};
const container: Parameters<typeof runArguments>[0] = {
  ...{
    engine,
    name: 'skep_1.2.3.4_abcd',
    image: 'localhost/x:y',
    hostFolders: ['/usr'],
    uid: 50_000,
    keeps: false,
    held: ['memory', 'pids', 'cpu'],
    teller: 'starter',
  },
  folder: {
    path: '/run/s',
    slot: '/run/s/slot',
    binds: [{ from: '/opt/tool', name: 'ro0', to: '/skep/tool' }],
    sockets: [],
    isOnDisk: false,
  },
  limits: { memoryBytes: 2 ** 26, processCount: 10, cpuCount: 0.5, tmpBytes: 2 ** 20, workspaceBytes: 2 ** 24 },
  argv: ['/usr/bin/env', '-i', 'sh'],
  etc: { passwd: '/run/s/passwd', group: '/run/s/group', resolv: '/run/s/resolv.conf' },
};

describe('the arguments of a container', () => {
  it('take everything away that a container has by default', () => {
    const words = runArguments(container).join(' ');
    for (const part of [
      '--network none --read-only --cap-drop all --security-opt no-new-privileges',
      '--security-opt seccomp=/run/s/seccomp',
      '--user 50000:50000',
      '--pids-limit 12 --memory 67108864 --memory-swap 67108864 --cpus 0.50',
      '--mount type=bind,source=/opt/tool,destination=/skep/tool,readonly',
      '--mount type=bind,source=/run/s/resolv.conf,destination=/etc/resolv.conf,readonly',
      '--mount type=bind,source=/run/s/slot/work,destination=/work ',
      '--label skep.owner=1.2.3.4',
    ])
      expect(words).toContain(part);
    expect(words).not.toContain('/kept');
    expect(words).toMatch(/--entrypoint \/usr\/bin\/env localhost\/x:y -i sh$/);
  });

  it('leave the groups in sight of the starter that reads them, and of nobody else', () => {
    const words = (teller: Teller): string => runArguments({ ...container, teller }).join(' ');
    expect((['starter', 'host', 'nobody'] as const).map(teller => words(teller).includes(':/sys/fs/cgroup'))).toEqual([
      false,
      true,
      true,
    ]);
    // Then the starter must hear when the host has read them.
    expect([words('starter'), words('host')].map(line => line.includes('--preserve-fds 1'))).toEqual([false, true]);
  });

  it("limit the processes of a user that is the sandbox's alone, and leave those of others to the starter", () => {
    const both = (changed: Partial<typeof container>) => {
      const made = { ...container, ...changed };
      return [/nproc=\S+/.exec(runArguments(made).join(' '))?.[0], processesByStarter(made)];
    };
    expect(both({})).toEqual(['nproc=12:12', undefined]);
    expect(both({ uid: undefined })).toEqual([undefined, 12]);
    expect(both({ uid: undefined, engine: { ...engine, runtime: 'runsc' } })).toEqual(['nproc=1034:1034', undefined]);
  });

  it('are refused where a path would be read as more than one', () => {
    const folder = { ...container.folder, binds: [{ from: '/opt/a,rw', name: 'ro0', to: '/skep/a' }] };
    expect(() => runArguments({ ...container, folder })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});

describe('who tells that a command was out of memory', () => {
  const all = container.held;
  it.each([
    { says: 'the starter, by the groups that it sees', runtime: 'runc', open: false, held: all, teller: 'starter' },
    { says: 'the host, where a container must not see them', runtime: 'crun', open: true, held: all, teller: 'host' },
    { says: 'nobody, where others are counted with it', runtime: 'crun', open: false, held: ['pids'], teller: 'nobody' },
    { says: 'nobody, where that kernel goes with all it runs', runtime: 'runsc', open: false, held: all, teller: 'nobody' },
  ] as const)('is $says', ({ runtime, open, held, teller }) => {
    expect(tellerOf({ runtime, hasOpenGroups: open }, held)).toBe(teller);
  });
});

describe('the filter of a container', () => {
  it('is there for the machines that were looked at', () => {
    expect(['x64', 'arm64', 'ia32', 'riscv64'].map(arch => seccompProfile(arch) !== undefined)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('allows nothing that the local one denies, nor what must be looked at', () => {
    const guarded = ['clone', 'clone3', 'unshare', 'ioctl', 'personality', 'socket', 'socketpair'];
    expect(ALLOWED.filter(name => DENIED.includes(name) || guarded.includes(name))).toEqual([]);
    expect(new Set(ALLOWED).size).toBe(ALLOWED.length);
  });
});

describe('what a filter lets a program ask of a terminal', () => {
  const { syscalls } = JSON.parse(seccompProfile('x64') ?? '') as {
    syscalls: { names: string[]; action: string; args: { index: number; value: number; valueTwo: number }[] }[];
  };
  const allowed = syscalls.filter(({ names, action }) => names.includes('ioctl') && action === 'SCMP_ACT_ALLOW');
  /** By how many rules it is allowed, whatever the others say: an engine may leave those out. */
  const rulesFor = (request: number): number =>
    allowed.filter(({ args }) => args.every(({ value, valueTwo }) => (request & value) >>> 0 === valueTwo)).length;
  const refused = [0x5412, 0x541c, 0x5423];

  it('is all but what types for others or changes the line', () => {
    expect(refused.map(rulesFor)).toEqual([0, 0, 0]);
    const near = refused.flatMap(each => [
      each - 1,
      each + 1,
      ...Array.from({ length: 32 }, (_, bit) => (each ^ (1 << bit)) >>> 0),
    ]);
    const others = [...near, 0, 0x5401, 0x80086601, 0xffffffff].filter(each => !refused.includes(each));
    expect(others.filter(each => rulesFor(each) !== 1)).toEqual([]);
  });
});

describe('the empty image', () => {
  it('is a tar archive of folders and links, the same each time', () => {
    const { name, tar } = emptyImage();
    expect(emptyImage()).toEqual({ name, tar });
    const listed = execFileSync('tar', ['-tvf', '-'], { input: tar, encoding: 'utf8' }).trim().split('\n');
    expect(listed.filter(line => !/^(?:drwxr-xr-x|lrwxr-xr-x|drwxrwxrwt) 0\/0 /.test(line))).toEqual([]);
    expect(listed.filter(line => line.startsWith('drwxrwxrwt')).map(line => line.split(' ').at(-1))).toEqual([
      'home/agent/',
      'tmp/',
    ]);
    expect(listed.some(line => line.endsWith(' work/'))).toBe(true);
  });
});
