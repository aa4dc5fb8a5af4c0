import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { linkConnectionsMax } from '../../src/worker/sandbox.ts';
import type { Sandbox, SandboxCommand, SandboxSpec } from '../../src/worker/sandbox.ts';
import { sandboxFolder, startSandboxWorker, subjects } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';

const limits = { memoryBytes: 512 * 2 ** 20, processCount: 64, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 64 * 2 ** 20 };

async function run(sandbox: Sandbox, argv: SandboxCommand['argv']) {
  const output = { stdout: '', stderr: '' };
  const exit = await sandbox.exec({
    ...{ argv, timeoutMs: 20_000, outputBytesMax: 2 ** 20 },
    onOutput: (stream, chunk) => void (output[stream] += chunk.toString()),
  });
  return { ...output, exit };
}

describe.each(subjects)('links of $provider as $who', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  const made: Sandbox[] = [];
  let worker: SandboxWorker;
  let next = 0;

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

  async function create(links: SandboxSpec['links']): Promise<Sandbox> {
    const sandbox = await worker.provider.create({
      id: `t-${next++}`,
      limits,
      files: [],
      folders: [],
      ...(links ? { links } : {}),
    });
    made.push(sandbox);
    return sandbox;
  }

  const withPython = it.skipIf(!possible || !existsSync('/usr/bin/python3'));

  const link = (path: string) => ({ path, onConnection: () => {} });

  /** Connects, says a word, and prints what comes back until the other end has ended. */
  const talk = (path: string, word: string) =>
    `import socket; s = socket.socket(socket.AF_UNIX); s.connect("${path}"); s.sendall(b"${word}"); s.shutdown(1); print(s.makefile().read())`;

  withPython('has a way out at each link, from its first command to its end', async () => {
    const sandbox = await create([link('/skep/one.sock'), link('/skep/deep/two.sock')]);
    for (const word of ['first', 'second']) {
      const one = await run(sandbox, ['python3', '-c', talk('/skep/one.sock', word)]);
      expect(one).toMatchObject({ stdout: `/skep/one.sock\n${word}\n`, stderr: '' });
    }
    expect((await run(sandbox, ['python3', '-c', talk('/skep/deep/two.sock', 'x')])).stdout).toBe('/skep/deep/two.sock\nx\n');
    await sandbox.kill();
    expect(readdirSync(home.folder).filter(name => name.includes('~'))).toEqual([]);
    expect(socketsOf(home.folder)).toEqual([]);
  });

  withPython('shows a link to its own sandbox alone', async ({ skip }) => {
    const probe = await worker.provider.probe();
    if (probe.ok && probe.worth.isolation === 'none') skip('nothing keeps them apart');
    const [mine, other] = [await create([link('/skep/mine.sock')]), await create([link('/skep/theirs.sock')])];
    const [, path = ''] = /(\S+\/mine\.sock|\S+\/fd\/\d+\/mine\.sock)$/m.exec(readFileSync('/proc/net/unix', 'utf8')) ?? [];
    expect(path).not.toBe('');
    const folder = readdirSync(home.folder).find(name => name.startsWith(`${mine.id}~`)) ?? '';
    const onHost = join(home.folder, folder, 'slot/skep/mine.sock');
    expect(statSync(onHost).mode & 0o777).toBe(0o600);
    expect(statSync(join(home.folder, folder)).mode & 0o777).toBe(0o700);
    for (const at of ['/skep/mine.sock', onHost, path, `/proc/${worker.pid}/root${onHost}`]) {
      const { stdout, stderr } = await run(other, ['python3', '-c', talk(at, 'x')]);
      expect([stdout, stderr.split('\n').at(-2)]).toEqual([
        '',
        expect.stringMatching(/^(FileNotFoundError|PermissionError|OSError)/),
      ]);
    }
    expect((await run(mine, ['python3', '-c', talk('/skep/mine.sock', 'x')])).stdout).toBe('/skep/mine.sock\nx\n');
  });

  withPython('bounds how many connections a link takes at once', async () => {
    const script = `
import socket
taken = []
for i in range(${linkConnectionsMax + 40}):
    s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect("/skep/one.sock"); taken.append(s)
greeted = 0
for s in taken:
    try:
        greeted += s.recv(100) == b"/skep/one.sock\\n"
    except ConnectionResetError:
        pass
print(greeted)`;
    const sandbox = await create([link('/skep/one.sock')]);
    expect((await run(sandbox, ['python3', '-c', script])).stdout).toBe(`${linkConnectionsMax}\n`);
    expect((await run(sandbox, ['python3', '-c', talk('/skep/one.sock', 'x')])).stdout).toBe('/skep/one.sock\nx\n');
  });
});

function socketsOf(folder: string): string[] {
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .filter(line => line.includes(folder) || line.includes('one.sock') || line.includes('two.sock'));
}
