import { homePath } from '../../../../worker/sandbox.ts';
import { Fault } from '../../../../kernel/fault.ts';
import type { SandboxLimits } from '../../../../worker/sandbox.ts';
import { etcContent } from '../folder.ts';
import { memorySizes } from '../shown/command.ts';
import { etcOfHost, maskedFiles, systemFolders } from '../shown/host.ts';
import { bytes, large, list, number, text } from './frames.ts';

/** What of a sandbox is the same for all of its commands. */
export interface Plan {
  readonly uid: number;
  readonly keeps: boolean;
  readonly limits: SandboxLimits;
  /** Which limits no cgroup keeps and a resource limit must; as a process of this machine may have them. */
  readonly byRlimit: { readonly processes: number | undefined; readonly memory: number | undefined };
  /** A word of the command line by which the next worker finds processes that should be dead. */
  readonly marker: string;
  readonly slot: string;
  /** Files by which a process joins a group. */
  readonly joins: readonly string[];
  readonly binds: readonly { readonly from: string; readonly to: string }[];
}

/** As serve.h has it. */
const bindsMax = 64;

/** As serve.c reads it. Throws Fault `invalid_request` where more is to be shown than it takes. */
export function planParts({ uid, keeps, limits, byRlimit, marker, slot, joins, binds }: Plan): Buffer[] {
  if (binds.length > bindsMax)
    throw new Fault('invalid_request', {
      message: `a sandbox is to show ${binds.length} folders`,
      hint: `show at most ${bindsMax}, such as one that holds the others`,
    });
  const sizes = memorySizes(limits);
  // A process is made in its group of version 2; into those of version 1 it must go by itself.
  const second = joins.find(file => file.endsWith(byProcess));
  return [
    ...[number(uid), number(keeps ? 1 : 0)],
    ...[large(byRlimit.processes ?? 0), large(byRlimit.memory ?? 0), large(sizes.tmp), large(sizes.shm)],
    ...[text(marker), text(slot), list(joins.filter(file => file !== second).map(text))],
    text(second === undefined ? '' : second.slice(0, -byProcess.length)),
    list(binds.map(({ from, to }) => Buffer.concat([text(from), text(to)]))),
  ];
}

const byProcess = '/cgroup.procs';

const kinds = { folder: 1, link: 2, bind: 3, file: 4, device: 5 } as const;
type Entry = readonly [kind: keyof typeof kinds, path: string, what: string];

/** What all sandboxes show alike, and the filter of their system calls. */
export function configParts(seccomp: Buffer): Buffer[] {
  const shown = systemFolders().map(
    ({ path, link }): Entry => (link === undefined ? ['bind', path, path] : ['link', path, link]),
  );
  const entries: readonly Entry[] = [
    ...shown,
    ...etcOfHost.map((path): Entry => ['bind', path, path]),
    ...etcContent.map(([name, content]): Entry => ['file', `/etc/${name}`, content]),
    ...['/dev/pts', '/dev/shm', '/proc', '/tmp', homePath, '/skep', '/work'].map((path): Entry => ['folder', path, '']),
    ...['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name): Entry => ['device', `/dev/${name}`, `/dev/${name}`]),
    ...[
      ['fd', ''],
      ['stdin', '/0'],
      ['stdout', '/1'],
      ['stderr', '/2'],
    ].map(([name, end = '']): Entry => ['link', `/dev/${name}`, `/proc/self/fd${end}`]),
    ['link', '/dev/core', '/proc/kcore'],
    ['link', '/dev/ptmx', 'pts/ptmx'],
  ];
  const words = entries.map(([kind, path, what]) => Buffer.concat([number(kinds[kind]), text(path), text(what)]));
  return [bytes(seccomp), list(words), list(maskedFiles().map(text))];
}
