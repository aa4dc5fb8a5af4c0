import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import type { Sandbox, SandboxCommand, SandboxExit } from '../sandbox.ts';
import { createHost } from './index.ts';
import type { Host, HostedProgram } from './index.ts';

const never = new AbortController().signal;

/** A sandbox in which one parent after another is started, each of which ends when it is told or killed. */
interface Started {
  readonly command: SandboxCommand;
  end(exit: SandboxExit): void;
}

let host: Host;
let started: Started[];
let sandbox: Sandbox;
beforeEach(async () => {
  host = await createHost(systemClock, []);
  started = [];
  const exec = (command: SandboxCommand): Promise<SandboxExit> =>
    new Promise(resolve => {
      started.push({ command, end: resolve });
      command.signal?.addEventListener('abort', () => resolve({ reason: 'aborted', durationMs: 9_999 }));
    });
  sandbox = { exec } as unknown as Sandbox;
});

const program = (given: Partial<HostedProgram> = {}): HostedProgram => ({
  ...{ argv: ['agent'] as const, timeoutMs: 60_000, outputBytesMax: 1_000, signal: never, onOutput: () => {} },
  ...given,
});

const exited: SandboxExit = { reason: 'exited', code: 0, durationMs: 1 };

/** The parent's side of its connection, and the lines that it hears. */
async function connected(): Promise<{ heard: string[]; parent: Socket; ours: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const parent = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [ours] = (await once(server, 'connection')) as [Socket];
  server.close();
  const heard: string[] = [];
  createInterface({ input: parent }).on('line', line => heard.push(line));
  host.link.onConnection(ours);
  return { heard, parent, ours };
}

describe('a parent that was prepared', () => {
  it('hears of its program when there is one, and is the only one that is started', async () => {
    host.prepare(sandbox, never);
    const { heard, parent } = await connected();
    let hasStarted = false;
    const running = host.run(sandbox, program({ argv: ['one'], onStart: () => (hasStarted = true) }));
    await expect.poll(() => heard).toHaveLength(1);
    expect(JSON.parse(heard[0] ?? '')).toMatchObject({ argv: ['one'] });
    parent.write('{"event":"started"}\n');
    await expect.poll(() => hasStarted).toBe(true);
    started[0]?.end(exited);
    expect(await running).toEqual(exited);
    expect(started).toHaveLength(1);
  });

  it('may connect after that, and hears then also that it is to end', async () => {
    host.prepare(sandbox, never);
    const stopping = new AbortController();
    const running = host.run(sandbox, program({ signal: stopping.signal }));
    stopping.abort();
    const { heard } = await connected();
    await expect.poll(() => heard.map(line => (JSON.parse(line) as { order?: string }).order)).toEqual([undefined, 'interrupt']);
    started[0]?.end(exited);
    expect(await running).toMatchObject({ reason: 'aborted' });
  });

  it('is heard from then on alone: what says that it has started before there is a program is not believed', async () => {
    host.prepare(sandbox, never);
    const { parent, ours } = await connected();
    const lie = '{"event":"started"}\n';
    parent.write(lie);
    await expect.poll(() => ours.bytesRead).toBe(lie.length);
    await new Promise(setImmediate);
    const running = host.run(sandbox, program());
    started[0]?.end(exited);
    await expect(running).rejects.toThrow('Node could not be started in a sandbox');
  });

  it('that has died, or is in another sandbox, is not waited for: another is started', async () => {
    for (const isDead of [true, false]) {
      started.splice(0);
      host.prepare(isDead ? sandbox : ({ exec: sandbox.exec } as unknown as Sandbox), never);
      if (isDead) started[0]?.end({ reason: 'out_of_memory', durationMs: 1 });
      await new Promise(setImmediate);
      let hasStarted = false;
      const running = host.run(sandbox, program({ onStart: () => (hasStarted = true) }));
      const { parent } = await connected();
      parent.write('{"event":"started"}\n');
      await expect.poll(() => hasStarted).toBe(true);
      started[1]?.end(exited);
      expect([await running, started.length]).toEqual([exited, 2]);
    }
  });

  it('is killed with its run, and once it has a program as that is', async () => {
    const ending = new AbortController();
    host.prepare(sandbox, ending.signal);
    ending.abort();
    expect(started[0]?.command.signal?.aborted).toBe(true);
    const later = new AbortController();
    host.prepare(sandbox, later.signal);
    const now = new AbortController();
    const running = host.run(sandbox, program({ now: now.signal }));
    later.abort();
    expect(started[1]?.command.signal?.aborted).toBe(false);
    now.abort();
    expect(await running).toMatchObject({ reason: 'aborted' });
  });

  it('has the time of its program from when it was given that', async () => {
    host.prepare(sandbox, never);
    const running = host.run(sandbox, program({ timeoutMs: 30 }));
    const exit = await running;
    expect([exit.reason, exit.durationMs < 9_999, started[0]?.command.signal?.aborted]).toEqual(['timeout', true, true]);
  });

  it('may print as much as its program may, what came before counted', async () => {
    const printed: string[] = [];
    host.prepare(sandbox, never);
    const { onOutput } = started[0]?.command ?? {};
    onOutput?.('stderr', Buffer.from('early '));
    const running = host.run(
      sandbox,
      program({ outputBytesMax: 10, onOutput: (stream, chunk) => printed.push(`${stream} ${chunk.toString()}`) }),
    );
    onOutput?.('stdout', Buffer.from('abcd'));
    expect(started[0]?.command.signal?.aborted).toBe(false);
    onOutput?.('stdout', Buffer.from('e'));
    onOutput?.('stdout', Buffer.from('f'));
    expect(printed).toEqual(['stderr early ', 'stdout abcd']);
    expect(await running).toMatchObject({ reason: 'output_limit' });
  });

  it('is killed where what it prints cannot be taken', async () => {
    host.prepare(sandbox, never);
    started[0]?.command.onOutput('stdout', Buffer.from('early'));
    const broken = (): never => {
      throw new Error('the disk is full');
    };
    await expect(host.run(sandbox, program({ onOutput: broken }))).rejects.toThrow('the disk is full');
    expect(started[0]?.command.signal?.aborted).toBe(true);
  });
});
