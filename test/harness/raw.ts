import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  /** Sent as it stands: nothing is normalised. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** One request as no well-behaved client would write it. */
export function ask(url: string, { method = 'GET', path, headers = {}, body }: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers, agent: false }, answer => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(chunks).toString() }),
      );
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** Writes these bytes, and with `end` says that there are no more; what the server says until it closes. */
export function say(url: string, bytes: string | Buffer, { end = false }: { end?: boolean } = {}): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise(resolve => {
    const socket = connect({ host: hostname, port: Number(port) });
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    // A server that cuts while we still write has said what it wanted to say.
    socket.on('error', () => {});
    socket.once('close', () => resolve(heard));
    socket.write(bytes);
    if (end) socket.end();
  });
}

/** Whether a server here still has the connection that a client here made from that port, as the kernel sees it. */
export function holdsFrom(clientPort: number): boolean {
  const established = '01';
  const wanted = `:${clientPort.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .some(([, , remote = '', state]) => remote.endsWith(wanted) && state === established);
}
