import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { connect, createServer, isIP } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NetworkRefusal } from '../../contract/network/refusals.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createEgress } from '../../src/worker/egress/index.ts';

type Options = Partial<Parameters<typeof createEgress>[0]>;

/** The network of a sandbox, as a port that programs can use as their proxy. */
export interface TestEgress {
  readonly port: number;
  readonly refused: Omit<NetworkRefusal, 'count'>[];
  hasMoved(): boolean;
  /** Writes these bytes; what was said until the connection ended. With `then` more is written after the first answer. */
  say(bytes: string | Buffer, then?: string | Buffer): Promise<string>;
  open(): Socket;
  close(): void;
}

export async function startEgress(options: Options): Promise<TestEgress> {
  const refused: Omit<NetworkRefusal, 'count'>[] = [];
  const egress = createEgress({
    rules: [],
    credentials: new Map(),
    refusals: { add: refusal => void refused.push(refusal) },
    isGuarded: () => false,
    clock: systemClock,
    log: silentLog,
    ...options,
  });
  const link = createServer({ allowHalfOpen: true }, connection => {
    connection.on('error', () => connection.destroy());
    egress.accept(connection);
  });
  const port = await listening(link);
  const open = (): Socket => connect(port, '127.0.0.1').on('error', () => {});
  return {
    port,
    refused,
    hasMoved: egress.hasMoved,
    open,
    async say(bytes, then) {
      const socket = open();
      const heard: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => heard.push(chunk));
      socket.write(bytes);
      if (then !== undefined) {
        await Promise.race([once(socket, 'data'), once(socket, 'close')]);
        socket.write(then);
      }
      await once(socket, 'close');
      return Buffer.concat(heard).toString('latin1');
    },
    close() {
      egress.close();
      link.close();
    },
  };
}

export interface TestHost {
  readonly port: number;
  /** `METHOD target host`, of each request that came. */
  readonly seen: string[];
  close(): void;
}

/** Of this machine too, and none that programs go to without their proxy. */
export const besideLoopback = '127.0.0.2';

/** A host of plain HTTP, or of HTTPS with a certificate. */
export async function startHost(listener: RequestListener, certificate?: Certificate, at = '127.0.0.1'): Promise<TestHost> {
  const seen: string[] = [];
  const hear: RequestListener = (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`);
    listener(request, response);
  };
  const server = certificate === undefined ? createHttp(hear) : createHttps(certificate, hear);
  const port = await listening(server, at);
  return {
    port,
    seen,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function listening(server: Server, at = '127.0.0.1'): Promise<number> {
  server.listen(0, at);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** That signs itself. */
export function certificateFor(...names: string[]): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'skep-certificate-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const ofNames = `subjectAltName=${names.map(name => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`).join(',')}`;
    const what = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    execFileSync('openssl', [...what, '-subj', '/CN=test', '-addext', ofNames, '-keyout', key, '-out', cert], { stdio: 'pipe' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
