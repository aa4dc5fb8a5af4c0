import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { benchLimits } from '../../src/cli/bench/sandbox/ways/provided.ts';
import { createTemplates } from '../../src/providers/sandboxes/disk/template.ts';
import { findProgram, SYSTEM_PATH } from '../../src/providers/sandboxes/local/host/tools.ts';
import { type Figure, figure, type Stage } from '../harness/bench.ts';

interface Floor {
  readonly stage: Stage;
  readonly home: string;
  readonly rounds: number;
  readonly count: number;
}

/** Each has what the one before it has, so that it can be seen what a part takes. */
const steps = [
  ['processes', 'none'],
  ['and pid, mount, ipc, host name and cgroup namespaces', 'pid,names'],
  ['and a network', 'pid,names,net'],
  ['and /proc, devices, memory for files', 'pid,names,net,mounts'],
  ['and a user namespace', 'pid,names,net,mounts,user'],
  ['and groups with limits', 'pid,names,net,mounts,user,groups'],
  ['and a disk of 64 MiB', 'pid,names,net,mounts,user,groups,disk'],
] as const;

/** What floor.c takes: the kernel's own work for as many sandboxes, which no way of starting them can be quicker than. */
export async function floorFigures({ stage, home, rounds, count }: Floor): Promise<Figure[]> {
  const lacking = lackOf();
  if (lacking !== undefined) {
    stage.say(`not here: the kernel's own work: ${lacking}`);
    return [];
  }
  const folder = join(home, 'floor');
  mkdirSync(folder);
  const program = join(folder, 'floor');
  execFileSync(compiler(), ['-O2', '-std=gnu11', '-o', program, join(import.meta.dirname, 'floor.c')]);
  const templates = createTemplates(join(folder, 'templates'), findProgram(SYSTEM_PATH, 'mkfs.ext4') ?? '');
  const template = await templates.of(benchLimits.workspaceBytes);
  const times = (parts: string): [made: number, ended: number] => {
    const asked = ['--mount', '--propagation', 'private', program, String(count), folder, template, parts];
    const [made = Number.NaN, ended = Number.NaN] = execFileSync('unshare', asked, { encoding: 'utf8' }).split(' ').map(Number);
    return [made, ended];
  };
  // In turns, so that what else the machine does weighs on all.
  const measured = Array.from({ length: rounds }, () => steps.map(([, parts]) => times(parts)));
  const made = steps.map(([name], i) =>
    figure(`the kernel's own work, ${count} at once: ${name}`, 'ms', {
      values: measured.map(round => round[i]?.[0] ?? Number.NaN),
    }),
  );
  const ends = measured.map(round => round.at(-1)?.[1] ?? Number.NaN);
  return [...made, figure(`the kernel's own work, the end of ${count} of the last kind`, 'ms', { values: ends })];
}

function compiler(): string {
  return findProgram(SYSTEM_PATH, 'cc') ?? '';
}

function lackOf(): string | undefined {
  if (process.geteuid?.() !== 0) return 'only root can do it';
  if (compiler() === '') return 'apt-get install gcc libc6-dev';
  if (findProgram(SYSTEM_PATH, 'mkfs.ext4') === undefined) return 'apt-get install e2fsprogs';
  const groups = ['memory', 'pids', 'cpu', 'unified'].map(name => `/sys/fs/cgroup/${name}/cgroup.procs`);
  return groups.every(path => existsSync(path)) ? undefined : 'it knows machines with both versions of cgroups alone';
}
