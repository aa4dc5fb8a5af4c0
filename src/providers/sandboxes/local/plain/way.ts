import { join } from 'node:path';
import type { Made } from '../host/made.ts';
import { byRlimit, marker } from '../host/made.ts';
import { launchArgv, reachablePlace } from '../launch.ts';
import type { Start } from '../launcher.ts';
import { bwrapArguments } from './arguments.ts';
import type { Plain } from './index.ts';

/** How a command is started in a sandbox by bubblewrap. */
export function plainOf(made: Made, { command }: Start): Plain {
  const { host, spec, folder, uid, cgroup } = made;
  const place = uid === undefined ? folder.slot : reachablePlace([folder.slot, ...folder.binds.map(({ from }) => from)]);
  const within = (name: string) => join(place, name);
  const bound = [{ from: folder.slot, to: place }, ...folder.binds.map(({ from, name }) => ({ from, to: within(name) }))];
  return {
    argv: launchArgv({
      tools: host.tools,
      argv: command.argv,
      marker: marker(folder.path),
      limits: spec.limits,
      byRlimit: byRlimit(made),
      parentPid: process.pid,
      root: uid === undefined ? undefined : { uid, cgroupFiles: cgroup?.joins ?? [], binds: bound },
    }),
    words: bwrapArguments({
      slot: place,
      binds: folder.binds.map(({ from, name, to }) => ({ source: uid === undefined ? from : within(name), to })),
      limits: spec.limits,
      keeps: spec.keeps === true,
      command,
    }),
    seccomp: join(folder.path, 'seccomp'),
    inherited: host.inherited,
    clock: host.clock,
  };
}
