import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sandboxLimits, sandboxWorth } from '../../contract/fleet/sandboxes.ts';
import type { SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { isFault } from '../../src/kernel/fault.ts';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import { guardName } from '../../src/providers/sandboxes/oci/guard.ts';
import { commandsMax } from '../../src/worker/sandbox.ts';
import type { Lack, Sandbox, SandboxCommand, SandboxSpec } from '../../src/worker/sandbox.ts';
import { sandboxFolder, startSandboxWorker, subjects } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';

const MiB = 2 ** 20;
const LIMITS = { memoryBytes: 512 * MiB, processCount: 64, cpuCount: 1, tmpBytes: MiB, workspaceBytes: 64 * 2 ** 20 };

async function run(sandbox: Sandbox, argv: SandboxCommand['argv'], more: Partial<SandboxCommand> = {}) {
  const output = { stdout: '', stderr: '' };
  const exit = await sandbox.exec({
    argv,
    timeoutMs: 20_000,
    outputBytesMax: MiB,
    onOutput: (stream, chunk) => void (output[stream] += chunk.toString()),
    ...more,
  });
  return { ...output, exit };
}

const sh = (sandbox: Sandbox, script: string, more?: Partial<SandboxCommand>) => run(sandbox, ['sh', '-c', script], more);

/** Both versions of cgroups: there crun is not taken. */
const isHybrid = existsSync('/sys/fs/cgroup/unified/cgroup.controllers');

describe.each(subjects)('$provider as $who', ({ provider, who, possible, isLean, isContainer }) => {
  const home = sandboxFolder(who);
  const extra = mkdtempSync(join(tmpdir(), 'skep-extra-'));
  const made: Sandbox[] = [];
  let worker: SandboxWorker;
  let worth: SandboxWorth;
  let lacks: readonly Lack[];
  let next = 0;

  beforeAll(async () => {
    if (!possible) return;
    worker = await startSandboxWorker({ provider, who, folder: home.folder });
    const probe = await worker.provider.probe();
    ({ worth, lacks } = probe.ok ? probe : expect.unreachable(`${probe.why}: ${probe.hint}`));
    // Or the plain way would be tried twice.
    if (probe.ok && provider === 'local:native') expect(probe.facts['launcher']).toBe('native');
    // What version-1.prove.ts takes away is away.
    if (probe.ok && provider === 'oci') expect(probe.facts['runtime']).toBe(isHybrid ? 'runc' : 'crun');
  });
  afterEach(async () => {
    await Promise.all(made.splice(0).map(sandbox => sandbox.kill()));
  });
  afterAll(async () => {
    await worker?.kill();
    home.remove();
    rmSync(extra, { recursive: true, force: true });
  });

  async function create(spec: Partial<SandboxSpec> = {}): Promise<Sandbox> {
    const sandbox = await worker.provider.create({ id: `t-${next++}`, limits: LIMITS, files: [], folders: [], ...spec });
    made.push(sandbox);
    return sandbox;
  }

  const check = it.skipIf(!possible);

  check('says of every limit what it is worth', () => {
    expect(sandboxWorth.parse(worth)).toEqual(worth);
    expect(worth.kind).toBe(worker.provider.kind);
    // What holds the network back is what isolates.
    expect(worth.network).toBe(worth.isolation === 'none' ? 'none' : 'enforced');
    expect(Object.keys(worth.limits).sort()).toEqual([...sandboxLimits].sort());
    expect(worth.limits).toMatchObject({ output: 'enforced', time: 'enforced' });
    if (worth.isolation === 'none')
      expect(Object.values({ ...worth.limits, workspace: 'none', output: 'none', time: 'none' })).not.toContain('enforced');
  });

  check('says of all that is held less than enforced why, and what to do about it', () => {
    const less = [...sandboxLimits.filter(limit => worth.limits[limit] !== 'enforced')].map(String);
    const unheld = worth.network === 'enforced' ? less : [...less, 'network'];
    const told = lacks.flatMap(({ about }) => about).filter(name => name !== 'launcher');
    expect([...new Set(told)].toSorted()).toEqual(unheld.toSorted());
    for (const { why, mend } of lacks) expect([why, mend]).toEqual([expect.stringMatching(/\w/), expect.stringMatching(/\w/)]);
  });

  check('runs a command in the workspace with a bare environment', async () => {
    const sandbox = await create();
    const { stdout, exit } = await sh(sandbox, 'pwd; id -u; id -un 2> /dev/null || echo nobody; hostname; env | sort', {
      env: { WORD: 'a "b" $c\nd' },
    });
    expect(exit).toEqual({ reason: 'exited', code: 0, durationMs: expect.any(Number) });
    const [folder, uid, name, host] = stdout.split('\n');
    expect(folder).toBe('/work');
    expect(Number(uid)).toBeGreaterThan(0);
    if (worth.isolation !== 'none') expect([name, host]).toEqual(['agent', 'skep']);
    const names = stdout.match(/^[A-Z_]+(?==)/gm);
    expect(names).toEqual(['HOME', 'LANG', 'PATH', 'PWD', 'WORD']);
    expect(stdout).toContain('WORD=a "b" $c\nd');
    expect(stdout).toContain('HOME=/home/agent');
  });

  check('keeps the workspace from command to command, and nothing else', async () => {
    const sandbox = await create();
    // Where /tmp is the host's, nothing is left in it for this.
    const own = worth.limits.tmp === 'none' ? '$HOME' : '/tmp $HOME';
    await sh(sandbox, `mkdir -p sub && echo kept > sub/file && for path in ${own}; do echo lost > $path/file; done`);
    const { stdout } = await sh(sandbox, `cat file; for path in ${own}; do ls -A $path; done`, { cwd: 'sub' });
    expect(stdout).toBe('kept\n');
  });

  check('keeps one more folder where it is made so, and takes bytes on stdin', async () => {
    const sandbox = await create({ keeps: true });
    const bytes = Buffer.alloc(70_000, 'some bytes');
    await sh(sandbox, 'cat > /kept/bytes; ls -A /kept > list; mkdir -m 0 /kept/locked', { stdin: bytes });
    const { stdout } = await sh(sandbox, 'cat list; cksum < /kept/bytes; cat /kept/bytes | wc -c; ls -d kept');
    expect(stdout).toBe(`bytes\n${execFileSync('cksum', { input: bytes, encoding: 'utf8' }).trim()}\n70000\n`);
    expect((await sh(await create(), 'ls -d /kept')).stdout).toBe('');
  });

  check('gives stdin, and streams that can be opened by name', async () => {
    const big = 'x'.repeat(200_000);
    const script = 'cat /dev/stdin | wc -c; echo err > /dev/stderr; echo out > /dev/stdout';
    expect(await sh(await create(), script, { stdin: big })).toMatchObject({ stdout: '200000\nout\n', stderr: 'err\n' });
  });

  check('is not put out by a command that locks its own pipes', async () => {
    const sandbox = await create();
    await sh(sandbox, 'chmod 0 /proc/self/fd/1 /proc/self/fd/2');
    expect((await sh(sandbox, 'echo again')).stdout).toBe('again\n');
  });

  check('leaves no descriptor but the three', async () => {
    const others = 'for fd in /proc/$$/fd/*; do case ${fd##*/} in [012]) ;; *) readlink $fd || true ;; esac; done';
    const { stdout } = await sh(await create(), others, { stdin: 'x' });
    expect(stdout.split('\n').filter(target => target !== '' && target !== '/dev/null')).toEqual([]);
  });

  check('shows files and folders read-only under /skep', async () => {
    mkdirSync(join(extra, 'deep'), { recursive: true });
    writeFileSync(join(extra, 'deep/tool'), 'tool\n');
    execFileSync('chmod', ['-R', 'a+rX', extra]);
    const sandbox = await create({
      files: [{ path: '/skep/a/b/c.txt', content: 'content\n' }],
      folders: [{ from: extra, to: '/skep/tools/x' }],
    });
    const { stdout, stderr } = await sh(
      sandbox,
      'cat /skep/a/b/c.txt /skep/tools/x/deep/tool; echo no > /skep/a/b/c.txt; echo no > /skep/tools/x/new; rm -f /skep/a/b/c.txt',
    );
    expect(stdout).toBe('content\ntool\n');
    expect(stderr.match(/Read-only file system/g)).toHaveLength(3);
  });

  it.skipIf(!possible).each([
    ['../etc', 'cwd'],
    ['/etc', 'cwd'],
    ['missing', 'cwd'],
  ])('refuses %s as a %s', async cwd => {
    await expect(run(await create(), ['true'], { cwd })).rejects.toSatisfy(error => isFault(error, 'invalid_request'));
  });

  it
    .skipIf(!possible)
    .each([
      { id: '../x' },
      { id: '' },
      { files: [{ path: '/etc/passwd', content: '' }] },
      { files: [{ path: '/skep/../x', content: '' }] },
      { folders: [{ from: 'relative', to: '/skep/x' }] },
      { folders: [{ from: '/nowhere-at-all', to: '/skep/x' }] },
      { links: [{ path: '/etc/x.sock', onConnection: () => {} }] },
      { links: [{ path: '/skep/../x.sock', onConnection: () => {} }] },
    ])('refuses the spec %j', async spec => {
    await expect(create(spec)).rejects.toSatisfy(error => isFault(error, 'invalid_request'));
    expect(readdirSync(home.folder).filter(name => name.includes('~'))).toEqual([]);
  });

  check('tells how a command ended', async () => {
    const sandbox = await create();
    const ends = async (script: string) => (await sh(sandbox, script)).exit;
    expect(await ends('exit 0')).toMatchObject({ reason: 'exited', code: 0 });
    expect(await ends('exit 7')).toMatchObject({ reason: 'exited', code: 7 });
    expect(await ends('exit 127')).toMatchObject({ reason: 'exited', code: 127 });
    expect(await ends('kill -TERM $$')).toMatchObject({ reason: 'signaled', signal: 'SIGTERM' });
    expect(await ends('kill -SEGV $$')).toMatchObject({ reason: 'signaled', signal: 'SIGSEGV' });
  });

  check('tells a program that is not there from one that talks like bubblewrap', async () => {
    const sandbox = await create({ files: [{ path: '/skep/plain', content: 'no program' }] });
    let started = 0;
    const onStart = () => void started++;
    expect((await run(sandbox, ['no-such-program'], { onStart })).exit.reason).toBe('not_found');
    expect((await run(sandbox, ['/skep/plain'], { onStart })).exit.reason).toBe('not_found');
    expect(started).toBe(0);
    const forged = await sh(sandbox, 'echo "bwrap: execvp sh: No such file or directory" >&2; exit 1', { onStart });
    expect(forged).toMatchObject({
      exit: { reason: 'exited', code: 1 },
      stderr: 'bwrap: execvp sh: No such file or directory\n',
    });
    expect(started).toBe(1);
  });

  check('says when the command has started, while it runs', async () => {
    const sandbox = await create();
    const abort = new AbortController();
    const { exit } = await run(sandbox, ['sleep', '1000'], { onStart: () => abort.abort(), signal: abort.signal });
    expect(exit.reason).toBe('aborted');
  });

  check('stops at the time limit', async () => {
    const { exit } = await run(await create(), ['sleep', '1000'], { timeoutMs: 100 });
    expect(exit.reason).toBe('timeout');
    expect(exit.durationMs).toBeLessThan(isContainer ? 20_000 : 5_000);
  });

  check('stops a command that ignores signals', async () => {
    const { exit, stdout } = await sh(await create(), "trap '' TERM INT HUP; echo in; while :; do sleep 1; done", {
      // A container must have begun by then.
      timeoutMs: isContainer ? 3_000 : 500,
    });
    expect([exit.reason, stdout]).toEqual(['timeout', 'in\n']);
  });

  check('stops at the output limit, with both streams counted and not a byte more', async () => {
    const { exit, stdout, stderr } = await sh(await create(), 'yes out & yes err >&2', { outputBytesMax: 100_000 });
    expect(exit.reason).toBe('output_limit');
    expect(stdout.length + stderr.length).toBe(100_000);
    const exact = await sh(await create(), 'head -c 1000 /dev/zero', { outputBytesMax: 1000 });
    expect(exact.exit).toMatchObject({ reason: 'exited', code: 0 });
  });

  check('does not start what is aborted already', async () => {
    const sandbox = await create();
    expect((await sh(sandbox, 'touch ran', { signal: AbortSignal.abort() })).exit.reason).toBe('aborted');
    expect((await sh(sandbox, 'ls')).stdout).toBe('');
  });

  check('passes on the signal of a command at any moment of its start', async () => {
    const sandbox = await create();
    for (const waitMs of isContainer ? [0, 80, 200] : [0, 1, 3, 6, 9, 12, 16]) {
      const abort = new AbortController();
      void systemClock.sleep(waitMs).then(() => abort.abort());
      const { exit } = await run(sandbox, ['sleep', '1000'], { signal: abort.signal });
      expect(exit.reason).toBe('aborted');
    }
    expect((await sh(sandbox, 'echo still good')).stdout).toBe('still good\n');
  });

  check('runs eight commands at once, each for itself, and none after its end', async () => {
    const sandbox = await create({ limits: { ...LIMITS, processCount: 128 } });
    const sleeping = Array.from({ length: commandsMax - 1 }, () => run(sandbox, ['sleep', '1000']));
    expect((await sh(sandbox, 'echo eighth; ps -e | grep -c sleep')).stdout).toBe('eighth\n0\n');
    sleeping.push(run(sandbox, ['sleep', '1000']));
    await expect(run(sandbox, ['true'])).rejects.toSatisfy(error => isFault(error, 'wrong_state'));
    await sandbox.kill();
    expect((await Promise.all(sleeping)).map(({ exit }) => exit.reason)).toEqual(sleeping.map(() => 'aborted'));
    await sandbox.kill();
    await expect(run(sandbox, ['true'])).rejects.toSatisfy(error => isFault(error, 'wrong_state'));
  });

  check('runs many commands without leaving a process, dead ones included', async () => {
    const sandbox = await create({ limits: { ...LIMITS, processCount: 8 } });
    for (let count = isLean ? 5 : 100; count > 0; count--) expect((await run(sandbox, ['true'])).exit).toMatchObject({ code: 0 });
    expect(childrenOf(worker.pid)).toEqual([]);
  });

  check('refuses a second sandbox of one name', async () => {
    await create({ id: 'twin' });
    await expect(create({ id: 'twin' })).rejects.toSatisfy(error => isFault(error, 'already_exists'));
  });

  check('refuses arguments that the system does not take', async () => {
    await expect(run(await create(), ['echo', 'x'.repeat(200_000)])).rejects.toSatisfy(error => isFault(error, 'too_large'));
  });

  check('removes whatever an agent has left, and nothing outside', async () => {
    const outside = join(extra, 'outside');
    mkdirSync(outside, { recursive: true });
    writeFileSync(join(outside, 'keep'), '');
    const sandbox = await create();
    const { exit, stderr } = await sh(
      sandbox,
      `set -e
      mkdir -p locked/inner && touch locked/inner/file && chmod 0 locked/inner && chmod 0555 locked
      touch -- '-rf' "$(printf 'a\\nb')" "$(printf 'bad\\377name')" ' '
      ln -s ${outside} link && ln -s / root && mkfifo pipe && ln -s loop loop
      i=0; while [ $i -lt 50 ]; do mkdir -p ${'d/'.repeat(30)} && cd -P ${'d/'.repeat(30)}; i=$((i + 1)); done`,
    );
    expect([exit, stderr]).toMatchObject([{ code: 0 }, '']);
    await sandbox.kill();
    expect(readdirSync(home.folder).filter(name => name.includes('~'))).toEqual([]);
    expect(existsSync(join(outside, 'keep'))).toBe(true);
  });

  check('does not let two sandboxes meet', async ({ skip }) => {
    if (worth.isolation === 'none') skip('nothing keeps them apart');
    const [one, two] = [await create(), await create()];
    await sh(one, 'echo mine > secret');
    expect((await sh(two, 'ls -A; find / -name secret 2> /dev/null | head')).stdout).toBe('');
    if (who !== 'root') return;
    const owners = readdirSync(home.folder).filter(name => name.includes('~'));
    const uids = owners.map(name => statSync(join(home.folder, name, 'slot/work')).uid);
    expect(new Set(uids).size).toBe(2);
    expect(uids.every(uid => uid >= 50_000)).toBe(true);
  });

  check('takes no path that a symlink in its own folder makes', async () => {
    const linked = join(extra, 'linked');
    symlinkSync('/usr/share', linked);
    const sandbox = await create({ folders: [{ from: linked, to: '/skep/share' }] });
    expect((await sh(sandbox, 'ls -d /skep/share/doc')).stdout).toBe('/skep/share/doc\n');
  });
});

describe.each(subjects)('when a worker of $provider as $who dies', ({ provider, who, possible, isContainer }) => {
  it.skipIf(!possible)('all that it ran dies at once, and the next worker removes the rest', async () => {
    const home = sandboxFolder(who);
    const dying = await startSandboxWorker({ provider, who, folder: home.folder });
    const living = await startSandboxWorker({ provider, who, folder: home.folder });
    const spec = { limits: LIMITS, files: [], folders: [] };
    const lost = await dying.provider.create({ ...spec, id: 'lost' });
    const kept = await living.provider.create({ ...spec, id: 'kept' });
    const mark = `${process.pid}.${who.length}${provider.length}`;

    await new Promise<void>(resolve => {
      const script = `setsid sleep 8${mark} & (setsid sleep 8${mark} &) ; trap '' TERM HUP; sleep 8${mark}`;
      void sh(lost, `${script} & echo up; wait`, { onOutput: () => resolve() }).catch(() => {});
    });
    await eventually(() => countOf(`8${mark}`) === 3);
    await dying.kill();
    const before = systemClock.mono();
    await eventually(() => countOf(`8${mark}`) === 0);
    // A container is no child of its worker: somebody must see that the worker is gone.
    expect(systemClock.mono() - before).toBeLessThan(isContainer ? 5_000 : 500);

    expect(readdirSync(home.folder).filter(name => name.includes('~'))).toHaveLength(2);
    const [first, second] = await Promise.all([living.provider.reapOrphans(), living.provider.reapOrphans()]);
    expect(first + second).toBe(1);
    expect(readdirSync(home.folder).filter(name => name.includes('~'))).toEqual([expect.stringMatching(/^kept~/)]);
    expect((await sh(kept, 'echo alive')).stdout).toBe('alive\n');
    await kept.kill();
    await living.kill();
    home.remove();
  });

  it.skipIf(!possible)('what it left is opened by its heir, though a worker of another home came before', async () => {
    const [home, another] = [sandboxFolder(who), sandboxFolder(who)];
    const dying = await startSandboxWorker({ provider, who, folder: home.folder });
    const spec = { limits: LIMITS, files: [], folders: [] };
    await sh(await dying.provider.create({ ...spec, id: 'lost' }), 'echo work > left');
    await dying.kill();
    const stranger = await startSandboxWorker({ provider, who, folder: another.folder });
    await stranger.provider.reapOrphans();
    const next = await stranger.provider.create({ ...spec, id: 'next' });
    const heir = await startSandboxWorker({ provider, who, folder: home.folder });
    expect(await heir.reap(['cat', 'left'])).toEqual({ count: 1, orphans: [{ id: 'lost', text: 'work\n' }] });
    expect((await sh(next, 'echo alive')).stdout).toBe('alive\n');
    await next.kill();
    await Promise.all([stranger, heir].map(worker => worker.kill()));
    for (const each of [home, another]) each.remove();
  });
});

function countOf(argument: string): number {
  return allPids().filter(pid => processInfo(pid)?.argv.includes(argument)).length;
}

function childrenOf(pid: number): string[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  // One waits for the worker's end and not for a command's, and the compiled part stays.
  return children.filter(child => {
    const argv = processInfo(Number(child))?.argv ?? [];
    return !argv.includes(guardName) && argv[0]?.endsWith('/skep-sandbox') !== true;
  });
}

async function eventually(holds: () => boolean): Promise<void> {
  const until = systemClock.mono() + 5000;
  while (!holds()) {
    if (systemClock.mono() > until) throw new Error('it did not come about in 5 s');
    await systemClock.sleep(5);
  }
}
