import { groupsLack } from '../local/host/groups-lack.ts';
import type { Controller } from '../local/host/cgroups.ts';
import type { Reason } from '../lacks.ts';
import type { Engine } from './engine.ts';

/** What an engine can limit here. */
export interface Held {
  readonly controllers: readonly Controller[];
  /** Why that is not all, where it is not. */
  readonly lack: Reason | undefined;
}

const all: readonly Controller[] = ['memory', 'pids', 'cpu'];

/** By what the engine says of itself: asked for a limit that it can't hold, one refuses the container, and another says nothing. */
export async function heldBy(engine: Pick<Engine, 'name' | 'run'>, isRoot: boolean): Promise<Held> {
  const held = engine.name === 'docker' ? await byDocker(engine) : await byPodman(engine, isRoot);
  const isWhole = held.controllers.length === all.length;
  return isWhole ? { ...held, lack: undefined } : held;
}

interface DockerInfo {
  readonly MemoryLimit?: boolean;
  readonly PidsLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
}

async function byDocker({ run }: Pick<Engine, 'run'>): Promise<Held> {
  const info = JSON.parse(await run(['info', '--format', '{{json .}}'])) as DockerInfo;
  const { MemoryLimit: memory, PidsLimit: pids, CpuCfsQuota: cpu } = info;
  const has = { memory, pids, cpu };
  const lack = { why: "Docker's daemon says that it can't hold it", mend: 'see the warnings at the end of `docker info`' };
  return { controllers: all.filter(name => has[name] === true), lack };
}

interface PodmanHost {
  readonly cgroupVersion?: string;
  readonly cgroupManager?: string;
  readonly cgroupControllers?: readonly string[] | null;
}

async function byPodman({ run }: Pick<Engine, 'run'>, isRoot: boolean): Promise<Held> {
  const host = JSON.parse(await run(['info', '--format', '{{json .Host}}'])) as PodmanHost;
  const { cgroupVersion: version, cgroupManager: manager, cgroupControllers: told } = host;
  // Before 3.2 it does not say at all; root's containers are refused where a limit can't be held.
  const has = told ?? (isRoot ? all : []);
  const controllers = all.filter(name => has.includes(name));
  if (isRoot) return { controllers, lack: groupsLack({ controllers }) };
  if (version !== 'v2')
    return none('the limits of an ordinary user need cgroups of version 2 alone', 'boot with systemd.unified_cgroup_hierarchy=1');
  if (manager !== 'systemd')
    return none(
      `${manager ?? 'no manager'} makes the cgroups of this user's containers, and can limit none`,
      'start the worker in a session of the user by systemd (loginctl enable-linger USER), with cgroup_manager = "systemd" in containers.conf',
    );
  if (told === undefined)
    return none('this podman does not say which controllers of cgroups are handed down to this user', 'take podman 3.2 or later');
  return {
    controllers,
    lack: {
      why: `of the controllers of cgroups only ${has.join(', ') || 'none'} is handed down to this user`,
      mend: 'systemctl edit user@.service, in it [Service] and Delegate=cpu cpuset io memory pids, then log in again',
    },
  };
}

function none(why: string, alone: string): Held {
  return { controllers: [], lack: { why, mend: `${alone}; or run the worker as root` } };
}
