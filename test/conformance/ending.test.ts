import { existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import type { Sandbox, SandboxCommand } from '../../src/worker/sandbox.ts';
import { sandboxFolder, startSandboxWorker, subjects } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';

const MiB = 2 ** 20;
const LIMITS = { memoryBytes: 512 * MiB, processCount: 64, cpuCount: 1, tmpBytes: MiB, workspaceBytes: 64 * 2 ** 20 };
/** Of version 1: what is frozen by it is not let go on even to die. */
const FREEZER = '/sys/fs/cgroup/freezer';

async function run(sandbox: Sandbox, argv: SandboxCommand['argv'], more: Partial<SandboxCommand> = {}) {
  const output = { stdout: '', stderr: '' };
  const onOutput = (stream: 'stdout' | 'stderr', chunk: Buffer) => void (output[stream] += chunk.toString());
  const exit = await sandbox.exec({ argv, timeoutMs: 60_000, outputBytesMax: MiB, onOutput, ...more });
  return { ...output, exit };
}

const sh = (sandbox: Sandbox, script: string, more?: Partial<SandboxCommand>) => run(sandbox, ['sh', '-c', script], more);

describe.each(subjects)('a command in a sandbox of $provider as $who', ({ provider, who, possible, isLean }) => {
  const home = sandboxFolder(who);
  const made: Sandbox[] = [];
  let worker: SandboxWorker;

  beforeAll(async () => {
    if (possible) worker = await startSandboxWorker({ provider, who, folder: home.folder });
  });
  afterEach(async () => {
    await Promise.all(made.splice(0).map(sandbox => sandbox.kill()));
  });
  afterAll(async () => {
    await worker?.kill();
    home.remove();
  });

  async function create(limits = LIMITS): Promise<Sandbox> {
    const sandbox = await worker.provider.create({ id: 'ending', limits, files: [], folders: [] });
    made.push(sandbox);
    return sandbox;
  }

  const check = it.skipIf(!possible);

  check('is asked to end, and may do so in its own time', async () => {
    const sandbox = await create();
    const trap = "trap 'echo asked; exit 5' TERM; echo in; while :; do sleep 0.05; done";
    for (const [script, exit] of [
      [trap, { reason: 'exited', code: 5 }],
      ['echo in; exec sleep 1000', { reason: 'signaled', signal: 'SIGTERM' }],
    ] as const) {
      const asking = new AbortController();
      const ended = await sh(sandbox, script, { ask: asking.signal, onOutput: () => asking.abort() });
      expect(ended.exit).toMatchObject(exit);
    }
  });

  check('says how it is, also where all of it is stopped', async () => {
    const sandbox = await create();
    expect(await sandbox.stats()).toMatchObject({ state: 'gone', processes: 0, memoryBytes: 0, cpuMs: 0 });
    const mark = `4${process.pid}.${who.length}${provider.length}`;
    const running = sh(
      sandbox,
      `sleep ${mark} & sleep ${mark}; kill %1; i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; sleep ${mark}0`,
    );
    await eventually(() => pidsOf(mark).length === 2);
    const before = await sandbox.stats();
    expect(before).toMatchObject({ state: 'answering', processes: 3 });
    expect(before.memoryBytes).toBeGreaterThan(100_000);
    const [first = 0, second = 0] = pidsOf(mark);
    for (const pid of [first, second]) process.kill(pid, 'SIGSTOP');
    expect((await sandbox.stats()).state).toBe('answering');
    const shell = parentOf(first);
    process.kill(shell, 'SIGSTOP');
    await eventually(() => stateOf(shell) === 'T');
    expect(await sandbox.stats()).toMatchObject({ state: 'frozen', processes: 3 });
    for (const pid of [shell, first, second]) process.kill(pid, 'SIGCONT');
    for (const pid of [first, second]) process.kill(pid, 'SIGKILL');
    await eventually(() => pidsOf(`${mark}0`).length === 1);
    const after = await sandbox.stats();
    expect(after.state).toBe('answering');
    expect(after.cpuMs).toBeGreaterThan(before.cpuMs);
    await sandbox.kill();
    await running;
  });

  check('says that it was killed for want of memory, and of no other that it was', async ({ skip }) => {
    const probe = await worker.provider.probe();
    if (!probe.ok) throw new Error(probe.why);
    if (probe.worth.limits.memory !== 'enforced') skip('its memory is not limited as a whole');
    const sandbox = await create({ ...LIMITS, memoryBytes: 64 * MiB });
    // Without a line's end all of it is kept.
    const taking = 'head -c 256M /dev/zero | tail -n 1';
    for (const [script, exit] of [
      [taking, { reason: 'out_of_memory' }],
      ['exit 3', { reason: 'exited', code: 3 }],
      [`(${taking}); exit 3`, { reason: 'out_of_memory' }],
      ['kill -KILL $$', { reason: 'signaled', signal: 'SIGKILL' }],
      [`(${taking}); exit 0`, { reason: 'exited', code: 0 }],
    ] as const)
      expect((await sh(sandbox, script)).exit).toMatchObject(exit);
  });

  it.skipIf(!possible || isLean || who !== 'root' || !existsSync(FREEZER))(
    'is given up where the system does not let it end',
    async () => {
      const sandbox = await create();
      const mark = `7${process.pid}`;
      const abort = new AbortController();
      const words = run(sandbox, ['sleep', mark], { signal: abort.signal }).then(JSON.stringify, String);
      await eventually(() => pidsOf(mark).some(pid => processInfo(pid)?.argv[0] === 'sleep'));
      const group = mkdtempSync(join(FREEZER, 'skep-'));
      const pid = pidsOf(mark).find(each => processInfo(each)?.argv[0] === 'sleep') ?? 0;
      writeFileSync(join(group, 'cgroup.procs'), String(pid));
      writeFileSync(join(group, 'freezer.state'), 'FROZEN');
      try {
        await eventually(() => stateOf(pid) === 'D');
        expect((await sandbox.stats()).state).toBe('frozen');
        abort.abort();
        expect(await words).toContain('a process of a sandbox does not end');
        expect((await sh(sandbox, 'echo still good')).stdout).toBe('still good\n');
      } finally {
        writeFileSync(join(group, 'freezer.state'), 'THAWED');
      }
      await eventually(() => pidsOf(mark).length === 0);
      await eventually(() => readFileSync(join(group, 'cgroup.procs'), 'utf8') === '');
      rmdirSync(group);
    },
  );
});

/** Of the programs themselves, not of what starts them. */
function pidsOf(argument: string): number[] {
  return allPids().filter(pid => processInfo(pid)?.argv.includes(argument));
}

function statOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
}

const stateOf = (pid: number): string => statOf(pid)[0] ?? '';
const parentOf = (pid: number): number => Number(statOf(pid)[1]);

async function eventually(holds: () => boolean): Promise<void> {
  const until = systemClock.mono() + 5000;
  while (!holds()) {
    if (systemClock.mono() > until) throw new Error('it did not come about in 5 s');
    await systemClock.sleep(5);
  }
}
