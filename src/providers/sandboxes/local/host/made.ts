import type { Clock } from '../../../../kernel/clock.ts';
import type { SandboxSpec } from '../../../../worker/sandbox.ts';
import type { FoundDisks } from '../../disk/index.ts';
import type { Reason } from '../../lacks.ts';
import type { Folder } from '../folder.ts';
import type { Links } from '../links.ts';
import type { Native } from '../native/launcher.ts';
import type { Turns } from '../../../../kernel/turns.ts';
import type { Cgroup, Cgroups } from './cgroups.ts';
import type { Tools } from './tools.ts';
import type { UserIds } from './user-ids.ts';

/** What this machine offers to sandboxes, found once. */
export interface Host extends FoundDisks {
  readonly folder: string;
  readonly tools: Tools;
  readonly seccomp: Buffer;
  readonly clock: Clock;
  readonly inherited: readonly number[];
  /** Of those that are being made. */
  readonly turns: Turns;
  /** Folders of those that are being made, that live, or are being removed. */
  readonly taken: Set<string>;
  readonly cgroups: Cgroups | undefined;
  /** Present when the worker is root; then each sandbox runs as an id of its own. */
  readonly userIds: UserIds | undefined;
  /** The compiled part, where it can be used: root's sandboxes are started by it. */
  readonly native: Native | undefined;
  /** Why there is none. */
  readonly noNative: Reason | undefined;
  /** Whether a limit of processes set by the last step counts the sandbox's alone. */
  readonly countsProcesses: boolean;
}

/** A sandbox that is there. */
export interface Made {
  readonly host: Host;
  readonly spec: SandboxSpec;
  readonly folder: Folder;
  readonly uid: number | undefined;
  readonly cgroup: Cgroup | undefined;
  readonly links: Links;
}

/** Stands in the arguments of every process of the launch. */
export function marker(path: string): string {
  return `skep-sandbox-${path.slice(path.lastIndexOf('/') + 1)}`;
}

/** Which limits no cgroup keeps, and a resource limit must. */
export function byRlimit({ host, cgroup }: Pick<Made, 'host' | 'cgroup'>): {
  readonly processes: boolean;
  readonly memory: boolean;
} {
  const has = (controller: 'pids' | 'memory') => cgroup !== undefined && host.cgroups?.controllers.includes(controller) === true;
  return { processes: host.countsProcesses && !has('pids'), memory: !has('memory') };
}
