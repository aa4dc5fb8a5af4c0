import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import type { Sandbox, SandboxExit } from '../sandbox.ts';
import { createHost } from './index.ts';

it('a parent that is killed with an order unread is an exit like any other, and no end of the worker', async () => {
  const host = await createHost(systemClock, []);
  const exit: SandboxExit = { reason: 'signaled', signal: 'SIGKILL', durationMs: 1 };
  const exec = async (): Promise<SandboxExit> => {
    const { ours, theirs } = await connection();
    host.link.onConnection(ours);
    theirs.write('{"event":"started"}\n');
    await once(ours, 'data');
    const closed = new Promise(resolve => ours.once('close', resolve));
    theirs.resetAndDestroy();
    await closed;
    return exit;
  };
  const program = {
    ...{ argv: ['agent'] as const, timeoutMs: 1_000, outputBytesMax: 1_000, signal: new AbortController().signal },
    onOutput: () => {},
  };
  expect(await host.run({ exec } as unknown as Sandbox, program)).toEqual(exit);
});

async function connection(): Promise<{ ours: Socket; theirs: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const theirs = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [ours] = (await once(server, 'connection')) as [Socket];
  server.close();
  return { ours, theirs };
}
