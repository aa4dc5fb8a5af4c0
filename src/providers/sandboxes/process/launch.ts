import { spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { SandboxLimits } from '../../../worker/sandbox.ts';
import { keptName } from '../disk/mounted.ts';
import type { Folder } from '../local/folder.ts';
import { stdinPath } from '../local/folder.ts';
import type { Cgroup } from '../local/host/cgroups.ts';
import { watchOomKills } from '../local/host/oom.ts';
import { run, SYSTEM_PATH } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';
import { reachablePlace, untilParentDies } from '../local/launch.ts';
import { firstChild } from '../local/status.ts';
import { askCommand } from '../started/ask.ts';
import type { Launched } from '../started/execute.ts';
import type { Start } from '../started/sandbox.ts';
import { rootSteps } from './root.ts';

export const preambleFd = 3;

interface Launch extends Start {
  readonly tools: Tools;
  readonly folder: Folder;
  readonly limits: SandboxLimits;
  readonly keeps: boolean;
  /** Of root's sandboxes; else the worker's own user runs in a user namespace, which may mount. */
  readonly uid: number | undefined;
  readonly cgroup: Cgroup | undefined;
  readonly inherited: readonly number[];
  readonly clock: Clock;
}

/** The command in a pid namespace, whose end ends all that it has started, and in a mount namespace with the workspace in its place. */
export async function launch(job: Launch): Promise<Launched> {
  const { folder, uid, tools, token, stdin, cgroup, clock } = job;
  const streams = await openStreams({ folder, uid, tools });
  const input = openSync(stdin === undefined ? '/dev/null' : stdinPath(folder, stdin, uid), 'r');
  const nothing = openSync('/dev/null', 'r+');
  const stdio: ('pipe' | 'ignore' | number)[] = [input, ...streams.writers, 'pipe'];
  for (const fd of job.inherited) {
    while (stdio.length < fd) stdio.push('ignore');
    stdio[fd] ??= nothing;
  }
  const killedForMemory = watchOomKills(cgroup).watch();
  const child = started(commandLine(job), stdio, () => {
    for (const fd of [input, nothing, ...streams.writers]) closeSync(fd);
  });
  const [stdout, stderr] = streams.readers;
  const init = (): number | undefined => firstChild(child.pid);
  const kill = (): void => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(init() ?? child.pid, 'SIGKILL');
    } catch {
      // Gone since the look: the launcher is about to end.
    }
  };
  return {
    ...{ child, input: child.stdio[preambleFd] as Writable, follows: undefined, hasInput: true, stdout, stderr, init },
    ...{ kill, breakOff: kill },
    ask: () => void askCommand({ command: () => firstChild(init()), token, clock }),
    killedForMemory,
    release: kill,
  };
}

function commandLine({ tools, folder, limits, keeps, uid, cgroup, argv }: Launch): readonly [string, ...string[]] {
  const place = reachablePlace([folder.slot, ...folder.binds.map(({ from }) => from)]);
  const own = uid === undefined ? ['--user', '--map-current-user', '--keep-caps'] : [];
  const parts = [
    { from: join(folder.slot, 'skep'), to: '/skep', right: 'ro' },
    ...folder.binds.map(({ from, to }) => ({ from, to, right: 'ro' })),
    { from: join(folder.slot, 'work'), to: '/work', right: 'rw' },
    ...(keeps ? [{ from: join(folder.slot, keptName), to: '/kept', right: 'rw' }] : []),
  ];
  return [
    ...untilParentDies(tools, process.pid),
    ...[tools.unshare, ...own, '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--'],
    ...rootSteps({ tools, place, parts, uid, limits, cgroupFiles: cgroup?.joins ?? [], hasGroup: cgroup !== undefined }),
    ...argv,
  ];
}

type Stdio = readonly ('pipe' | 'ignore' | number)[];

function started([program, ...args]: readonly [string, ...string[]], stdio: Stdio, close: () => void) {
  try {
    const child = spawn(program, args, { stdio: [...stdio], cwd: '/', env: { PATH: SYSTEM_PATH, LC_ALL: 'C' } });
    child.on('error', () => {});
    if (child.pid === undefined)
      throw new Fault('sandbox_unavailable', { message: `${program} could not be started: no process or descriptor is free` });
    return child;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'E2BIG')
      throw new Fault('too_large', { message: 'the arguments of the command are too large', hint: 'pass them on stdin' });
    throw error;
  } finally {
    close();
  }
}

interface Place {
  readonly folder: Folder;
  readonly uid: number | undefined;
  readonly tools: Tools;
}

/** Named pipes, because Node makes sockets for its children, and a socket cannot be opened again as /dev/stdout. Their names go at once. */
async function openStreams({
  folder,
  uid,
  tools,
}: Place): Promise<{ readers: readonly [Socket, Socket]; writers: readonly [number, number] }> {
  const names = ['out', 'err'].map(name => join(folder.path, `${name}-${randomBytes(4).toString('hex')}`));
  await run(tools.mkfifo, ['-m', '600', '--', ...names]);
  const [stdout, stderr] = names.map(path => {
    chmodSync(path, 0o600);
    // The owner of a pipe may open it again as /dev/stderr, which scripts do.
    if (uid !== undefined) chownSync(path, uid, uid);
    // Opened for reading without a writer it would wait; opened for writing without a reader it would fail: hence this order.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    unlinkSync(path);
    return { reader: new Socket({ fd, readable: true, writable: false }), writer };
  });
  if (stdout === undefined || stderr === undefined) throw new Error('two pipes were asked for');
  return { readers: [stdout.reader, stderr.reader], writers: [stdout.writer, stderr.writer] };
}
