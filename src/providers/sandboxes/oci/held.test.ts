import { describe, expect, it } from 'vitest';
import { heldBy } from './held.ts';

const says = (name: 'podman' | 'docker', info: object) => ({ name, run: () => Promise.resolve(JSON.stringify(info)) });
const docker = { MemoryLimit: true, PidsLimit: true, CpuCfsQuota: true };
const ofUser = { cgroupVersion: 'v2', cgroupManager: 'systemd', cgroupControllers: ['cpu', 'memory', 'pids'] };
const ofRoot = { cgroupVersion: 'v1', cgroupManager: 'cgroupfs', cgroupControllers: ['cpu', 'memory', 'pids'] };

describe('all limits are held', () => {
  it.each([
    { by: 'podman of root', engine: says('podman', ofRoot), isRoot: true },
    { by: 'a podman of root that does not say', engine: says('podman', { cgroupVersion: 'v1' }), isRoot: true },
    { by: 'podman of a user to whom all is handed down', engine: says('podman', ofUser), isRoot: false },
    { by: 'Docker', engine: says('docker', docker), isRoot: true },
  ])('by $by', async ({ engine, isRoot }) => {
    expect(await heldBy(engine, isRoot)).toEqual({ controllers: ['memory', 'pids', 'cpu'], lack: undefined });
  });
});

describe('less is held, and it is said why and what to do', () => {
  const debian = { ...ofUser, cgroupControllers: ['memory', 'pids'] };

  it.each([
    { by: 'podman of a user as Debian has it', engine: says('podman', debian), held: ['memory', 'pids'], mend: /Delegate=cpu/ },
    { by: 'podman of a user without systemd', engine: says('podman', { ...ofUser, cgroupManager: 'cgroupfs' }), mend: /linger/ },
    { by: 'podman of a user beside version 1', engine: says('podman', { ...ofUser, cgroupVersion: 'v1' }), mend: /unified/ },
    {
      by: 'podman of a user to whom nothing is handed down',
      engine: says('podman', { ...ofUser, cgroupControllers: null }),
      mend: /Delegate=cpu/,
    },
    {
      by: 'a podman of a user that does not say',
      engine: says('podman', { ...ofUser, cgroupControllers: undefined }),
      mend: /podman 3\.2/,
    },
    { by: 'Docker', engine: says('docker', { ...docker, CpuCfsQuota: false }), held: ['memory', 'pids'], mend: /docker info/ },
  ])('by $by', async ({ engine, held = [], mend }) => {
    const { controllers, lack } = await heldBy(engine, false);
    expect(controllers).toEqual(held);
    expect(lack).toEqual({ why: expect.stringMatching(/\w/), mend: expect.stringMatching(mend) });
  });
});
