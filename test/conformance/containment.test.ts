import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { allPids, processInfo } from '../../src/kernel/process-info.ts';
import type { Sandbox, SandboxCommand } from '../../src/worker/sandbox.ts';
import { people, sandboxFolder, startSandboxWorker } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';

const MiB = 2 ** 20;
const PYTHON = '/usr/bin/python3';
const hasPython = existsSync(PYTHON);

/** What fixtures/hostile.py tries, and what the kernel must answer. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  ...each(
    ['ENOENT'],
    [
      'read /etc/shadow',
      'read a file of the host',
      'read the workspace of another sandbox',
      'list the home of root',
      'list /sys',
      'see a process of the host',
      'read /proc/1/environ for a secret',
      'read /proc/1/cmdline for a host path',
    ],
  ),
  ...each(['EACCES', 'EPERM', 'ENOENT'], ['read /proc/kcore', 'read /proc/keys']),
  ...each(
    ['EACCES', 'EROFS', 'ENOENT'],
    ['write /proc/sys/kernel/core_pattern', 'write /proc/sys/vm/overcommit_memory', 'write /proc/sysrq-trigger'],
  ),
  ...each(['EROFS'], ['write /', 'write /usr', 'write /etc', 'write /dev', 'write /home', 'write /skep']),
  ...each(['EPERM', 'EINVAL'], ['make a device', 'become root', 'raw socket']),
  ...each(
    ['EPERM'],
    [
      ...[
        'mount',
        'umount2',
        'pivot_root',
        'fsopen',
        'open_tree',
        'unshare a user namespace',
        'unshare a mount namespace',
        'setns',
      ],
      ...[
        'keyctl',
        'add_key',
        'request_key',
        'io_uring_setup',
        'userfaultfd',
        'bpf',
        'perf_event_open',
        'kexec_load',
        'init_module',
      ],
      ...[
        'open_by_handle_at',
        'quotactl',
        'swapon',
        'settimeofday',
        'syslog',
        'personality of another layout',
        'TIOCSTI',
        'TIOCLINUX',
      ],
    ],
  ),
  ...each(['ENOSYS'], ['clone3', 'a call newer than the filter', 'a call of the x32 table']),
  ...each(['EAFNOSUPPORT'], ['socket AF_VSOCK', 'socket AF_PACKET', 'socket AF_ALG', 'socket AF_BLUETOOTH']),
  ...each(['EPROTONOSUPPORT'], ['socket NETLINK_AUDIT', 'socket SCTP']),
  ...each(['ECONNREFUSED'], ['TCP to the host', 'abstract unix socket of the host']),
  ...each(['ENETUNREACH'], ['UDP to the world']),
  ...each(
    ['ok'],
    [
      ...['allowed: TCP socket', 'allowed: IPv6 socket', 'allowed: unix socket', 'allowed: NETLINK_ROUTE', 'allowed: ptrace'],
      ...[
        'allowed: write /work',
        'allowed: write /tmp',
        'allowed: write home',
        'allowed: write /dev/shm',
        'allowed: write /dev/null',
      ],
      'allowed: read /etc/passwd',
    ],
  ),
};

function each(answers: readonly string[], attempts: readonly string[]): Record<string, readonly string[]> {
  return Object.fromEntries(attempts.map(attempt => [attempt, answers]));
}

describe.each(people)('a hostile command in a sandbox of $who', ({ who, possible }) => {
  const home = sandboxFolder(who);
  const outside = mkdtempSync(join(tmpdir(), 'skep-outside-'));
  const secret = `canary-${randomBytes(8).toString('hex')}`;
  const abstract = `skep-${secret}`;
  const connections: string[] = [];
  const servers: Server[] = [];
  let worker: SandboxWorker;
  let sandbox: Sandbox;
  let results: Record<string, string> = {};

  beforeAll(async () => {
    if (!possible) return;
    worker = await startSandboxWorker({ who, folder: home.folder });
    const limits = { memoryBytes: 64 * MiB, processCount: 24, cpuCount: 1, tmpBytes: 4 * MiB, workspaceBytes: 64 * 2 ** 20 };
    // With a way out: it opens nothing else.
    const links = [{ path: '/skep/gateway.sock', onConnection: () => {} }];
    sandbox = await worker.provider.create({ id: 'hostile', limits, files: [], folders: [], links });
    if (hasPython) results = await tryEverything(await otherFile());
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await sandbox?.kill();
    await worker?.kill();
    home.remove();
    rmSync(outside, { recursive: true });
  });

  async function otherFile(): Promise<string> {
    const limits = { memoryBytes: 64 * MiB, processCount: 8, cpuCount: 1, tmpBytes: MiB, workspaceBytes: 64 * 2 ** 20 };
    const other = await worker.provider.create({ id: 'other', limits, files: [], folders: [] });
    await run(other, ['sh', '-c', 'echo secret > file && chmod 666 file && chmod 777 .']);
    const folder = readdirSync(home.folder).find(name => name.startsWith('other~')) ?? 'none';
    const path = join(home.folder, folder, 'slot', 'work', 'file');
    expect(readFileSync(path, 'utf8')).toBe('secret\n');
    return path;
  }

  async function tryEverything(other: string): Promise<Record<string, string>> {
    const tcp = await listen(0);
    await listen(`\0${abstract}`);
    chmodSync(outside, 0o755);
    writeFileSync(join(outside, 'canary'), secret, { mode: 0o644 });
    const facts = {
      secret,
      abstract,
      hostFile: join(outside, 'canary'),
      otherFile: other,
      hostFolder: home.folder,
      hostPid: process.pid,
      tcpPort: (tcp.address() as AddressInfo).port,
    };
    const program = readFileSync(join(import.meta.dirname, '../fixtures/hostile.py'), 'utf8');
    const { stdout, stderr } = await run(sandbox, [PYTHON, '-c', program], {
      stdin: JSON.stringify(facts),
      env: { SECRET: secret },
    });
    expect(stderr).toBe('');
    return JSON.parse(stdout) as Record<string, string>;
  }

  function listen(where: number | string): Promise<Server> {
    const server = createServer(socket => {
      connections.push(String(where));
      socket.destroy();
    });
    servers.push(server);
    return new Promise(resolve => {
      if (typeof where === 'number') server.listen(where, '127.0.0.1', () => resolve(server));
      else server.listen(where, () => resolve(server));
    });
  }

  const check = it.skipIf(!possible);
  const withPython = it.skipIf(!possible || !hasPython);

  withPython.each(Object.entries(EXPECTED))('%s', (attempt, answers) => {
    expect(answers).toContain(results[attempt]);
  });

  withPython('has an expectation for every attempt, and no connection came', () => {
    expect(Object.keys(results).sort()).toEqual(Object.keys(EXPECTED).sort());
    expect(connections).toEqual([]);
  });

  check('has no right of root on the host, no capability, no way to gain one', async () => {
    const done = new AbortController();
    const uids: number[] = [];
    const { stdout } = await run(
      sandbox,
      ['sh', '-c', 'grep -E "^(Cap|NoNewPrivs|Seccomp)" /proc/self/status; exec sleep 9876.5'],
      {
        signal: done.signal,
        onOutput: (_, chunk, text = chunk.toString()) => {
          if (!text.includes('Seccomp_filters')) return;
          const pids = allPids().filter(pid => processInfo(pid)?.argv.some(word => word.includes('9876.5')));
          uids.push(...pids.flatMap(uidsOf));
          done.abort();
        },
      },
    );
    const all = /^(Cap\w+):\s+0+$/gm;
    expect(stdout.match(all)).toHaveLength(5);
    expect(stdout).toMatch(/NoNewPrivs:\s+1/);
    expect(stdout).toMatch(/Seccomp:\s+2/);
    expect(uids.length).toBeGreaterThan(0);
    // The waiting launcher of root's sandboxes keeps its id and runs nothing else; what came out of it has none of root's.
    const inside = uids.filter(uid => uid !== 0);
    expect(inside.length).toBeGreaterThanOrEqual(uids.length - 4);
    if (who === 'root') expect(inside.every(uid => uid >= 50_000)).toBe(true);
  });

  check('shows its secrets in no process list and in no environment but its own', async () => {
    const done = new AbortController();
    let seen: string[] = ['never looked'];
    await run(sandbox, ['sleep', '9876.25'], {
      env: { SECRET: secret },
      signal: done.signal,
      onStart: () => {
        const holders = (file: string) => allPids().filter(pid => readOr(`/proc/${pid}/${file}`).includes(secret));
        seen = [
          ...holders('cmdline').map(pid => `cmdline of ${pid}`),
          ...holders('environ').map(pid => readOr(`/proc/${pid}/comm`).trim()),
        ];
        done.abort();
      },
    });
    expect(seen).toEqual(['sleep']);
  });

  withPython('a fork bomb stays within the limit of processes', async () => {
    const bomb = `
import os, time
count = 0
try:
    for _ in range(500):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1
except OSError as error:
    print(error.errno, count)`;
    const { stdout } = await run(sandbox, [PYTHON, '-c', bomb]);
    const [code, count = NaN] = stdout.trim().split(' ').map(Number);
    expect(code).toBe(11);
    expect(count).toBeGreaterThan(15);
    expect(count).toBeLessThanOrEqual(24);
  });

  withPython('a memory bomb ends at the limit', async () => {
    const { stdout, exit } = await run(sandbox, [PYTHON, '-c', `b = bytearray(${128 * MiB})\nprint("survived", len(b))`]);
    expect(stdout).toBe('');
    expect(exit).toMatchObject(who === 'root' ? { reason: 'out_of_memory' } : { reason: 'exited', code: 1 });
    expect((await run(sandbox, ['echo', 'the sandbox lives'])).stdout).toBe('the sandbox lives\n');
  });

  it.skipIf(!possible).each(['/tmp', '/home/agent', '/dev/shm'])('%s takes as much as is allowed and not more', async folder => {
    const { stdout, stderr } = await run(sandbox, [
      'sh',
      '-c',
      `head -c 6000000 /dev/zero > ${folder}/big; wc -c < ${folder}/big`,
    ]);
    expect(stderr).toMatch(/No space left/);
    expect(Number(stdout)).toBe(4 * MiB);
  });

  check('an endless writer is stopped at the limit while the worker stays small', async () => {
    const before = rssBytes(worker.pid);
    const { exit } = await run(sandbox, ['yes'], { outputBytesMax: 64 * MiB, onOutput: () => {} });
    expect(exit.reason).toBe('output_limit');
    expect(rssBytes(worker.pid) - before).toBeLessThan(256 * MiB);
  });

  check('a daemon does not outlive the command', async () => {
    const mark = `7${process.pid}.${who.length}`;
    const script = `setsid sleep ${mark} > /dev/null 2>&1 & (setsid sh -c 'sleep ${mark} & sleep ${mark}' > /dev/null 2>&1 &); sleep 0.2`;
    const { exit } = await run(sandbox, ['sh', '-c', script]);
    expect(exit).toMatchObject({ reason: 'exited', code: 0 });
    expect(allPids().filter(pid => processInfo(pid)?.argv.includes(mark))).toEqual([]);
  });

  it.skipIf(who !== 'root' || !possible)('a busy loop gets no more than its share of the processor', async () => {
    const limits = { memoryBytes: 64 * MiB, processCount: 24, cpuCount: 0.25, tmpBytes: MiB, workspaceBytes: 64 * 2 ** 20 };
    const slow = await worker.provider.create({ id: 'slow', limits, files: [], folders: [] });
    const script =
      "(while :; do :; done) & (while :; do :; done) & sleep 1; kill %1 %2; wait; awk '{print $16 + $17}' /proc/$$/stat; times";
    const startedMs = systemClock.mono();
    const { stdout } = await run(slow, ['sh', '-c', script]);
    const elapsedS = (systemClock.mono() - startedMs) / 1000;
    const ticks = Number(stdout.split('\n')[0]);
    expect(ticks / 100).toBeLessThan(0.25 * elapsedS + 0.15);
    await slow.kill();
  });
});

async function run(sandbox: Sandbox, argv: SandboxCommand['argv'], { onOutput, ...more }: Partial<SandboxCommand> = {}) {
  const output = { stdout: '', stderr: '' };
  const exit = await sandbox.exec({
    argv,
    timeoutMs: 20_000,
    outputBytesMax: 4 * MiB,
    onOutput: (stream, chunk) => {
      if (!onOutput || output.stdout.length < MiB) output[stream] += chunk.toString();
      onOutput?.(stream, chunk);
    },
    ...more,
  });
  return { ...output, exit };
}

function uidsOf(pid: number): number[] {
  const line = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/m.exec(readOr(`/proc/${pid}/status`));
  return line ? [Math.min(...line.slice(1).map(Number))] : [];
}

function rssBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readOr(`/proc/${pid}/status`))?.[1]) * 1024;
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
