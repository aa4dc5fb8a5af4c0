import { request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** What was answered; `isProxys`: by the sandbox's own proxy, and not by who was asked. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly isProxys: boolean;
}

/** The answer is larger than it may be. */
export class TooLarge extends Error {}

export interface Call {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly url: URL;
  /** Of the sandbox: http://127.0.0.1:PORT. */
  readonly proxy: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Of the answer. */
  readonly bytesMax: number;
}

/** Asks through the proxy, once, and follows no redirect. Throws what the connection broke off with, or TooLarge. */
export async function call({ method, url, proxy, headers, body, bytesMax }: Call): Promise<Answer> {
  const at = { host: proxy.hostname, port: Number(proxy.port) };
  const own = { ...headers, ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }) };
  if (url.protocol === 'http:')
    return send(
      httpRequest,
      { ...at, method, path: `${url.origin}${url.pathname}${url.search}`, headers: { ...own, host: url.host }, agent: false },
      { body, bytesMax },
    );
  const opened = await tunnel(url, at);
  if ('status' in opened) return opened;
  const servername = /^[\d.]+$|:/.test(url.hostname) ? {} : { servername: url.hostname };
  const socket = connectTls({ socket: opened.socket, host: url.hostname, ...servername, ALPNProtocols: ['http/1.1'] });
  const options = {
    method,
    path: `${url.pathname}${url.search}`,
    headers: { ...own, host: url.host },
    createConnection: () => socket,
  };
  return send(httpsRequest, options, { body, bytesMax });
}

/** The way to what is encrypted; or what the proxy says where it opens none. */
function tunnel(url: URL, at: Pick<RequestOptions, 'host' | 'port'>): Promise<Answer | { readonly socket: Socket }> {
  const name = `${url.hostname}:${url.port === '' ? 443 : url.port}`;
  const { promise, resolve, reject } = hope<Answer | { readonly socket: Socket }>();
  const asking = httpRequest({ ...at, method: 'CONNECT', path: name, headers: { host: name } });
  asking.once('error', reject);
  asking.once('connect', ({ statusCode: status = 0, headers }, socket, head) => {
    if (status === 200) return resolve({ socket });
    const said: Buffer[] = [head];
    socket.on('data', (chunk: Buffer) => said.push(chunk));
    socket.once('close', () => resolve({ status, headers, body: Buffer.concat(said), isProxys: true }));
  });
  asking.end();
  return promise;
}

type Content = Pick<Call, 'body' | 'bytesMax'>;

function send(ask: typeof httpRequest, options: RequestOptions, { body, bytesMax }: Content): Promise<Answer> {
  const { promise, resolve, reject } = hope<Answer>();
  const asking = ask(options);
  asking.once('error', reject);
  asking.once('response', answer => {
    const { statusCode: status = 0, headers } = answer;
    const chunks: Buffer[] = [];
    let bytes = 0;
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else {
        reject(new TooLarge(`it answers more than ${bytesMax} bytes`));
        answer.destroy();
      }
    });
    answer.once('error', reject);
    answer.once('aborted', () => reject(new Error('its answer broke off')));
    answer.once('end', () => resolve({ status, headers, body: Buffer.concat(chunks), isProxys: 'skep-network' in headers }));
  });
  asking.end(body);
  return promise;
}

interface Hope<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function hope<T>(): Hope<T> {
  let resolve: Hope<T>['resolve'] = () => {};
  let reject: Hope<T>['reject'] = () => {};
  const promise = new Promise<T>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject };
}
