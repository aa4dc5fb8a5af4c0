import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createPort } from 'node:net';
import type { AddressInfo, Server as Port } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createLocalSandboxes } from '../../src/providers/sandboxes/local/index.ts';
import { createRelay } from '../../src/worker/gateway/relay.ts';
import type { Relay } from '../../src/worker/gateway/relay.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { temporaryFolder } from '../harness/worker.ts';
import { hasPython, hostileSpec, program, run } from './hostile.ts';
import { gatewayRows } from './table/host.ts';

/** A real relay between a hijacked sandbox and a server that says again what it is asked. */
describe('a hijacked agent at the way that is opened for it', () => {
  const asked: string[] = [];
  let answers: Readonly<Record<string, string>> = {};
  let server: Server;
  let port: Port;
  let strangers = 0;
  let relay: Relay;
  let sandbox: Sandbox;

  beforeAll(async () => {
    if (!hasPython) return;
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end(JSON.stringify({ headers: request.headers }));
    });
    port = createPort(peer => {
      strangers += 1;
      peer.destroy();
    });
    for (const each of [server, port]) await new Promise<void>(resolve => each.listen(0, '127.0.0.1', resolve));
    relay = createRelay({ server: `http://127.0.0.1:${portOf(server)}`, log: silentLog });
    const provider = createLocalSandboxes({ folder: temporaryFolder(), clock: systemClock, log: silentLog });
    const links = [{ path: '/skep/gateway.sock', onConnection: relay.accept }];
    sandbox = await provider.create(hostileSpec('gateway', { links }));
    const { stdout, stderr } = await run(sandbox, program('gateway', portOf(port)), { timeoutMs: 40_000 });
    expect(stderr).toBe('');
    answers = JSON.parse(stdout) as Record<string, string>;
  });
  afterAll(async () => {
    await sandbox?.kill();
    relay?.close();
    server?.closeAllConnections();
    server?.close();
    port?.close();
  });

  const check = it.skipIf(!hasPython);

  check.each(gatewayRows)('$attempt', ({ attempt, answers: expected }) => {
    expect(expected).toContain(answers[attempt]);
  });

  check('asks the server for nothing but its gateway, and nobody else for anything', () => {
    expect(new Set(asked)).toEqual(new Set(['/gateway/x']));
    expect(strangers).toBe(0);
    expect(Object.keys(answers).sort()).toEqual(gatewayRows.map(({ attempt }) => attempt).sort());
  });
});

function portOf(server: Server | Port): number {
  return (server.address() as AddressInfo).port;
}
