import { createServer, Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions, ServerResponse } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { failpoint } from '../../kernel/failpoint.ts';
import type { Log } from '../../kernel/log.ts';
import { linkConnectionsMax } from '../sandbox.ts';
import { answerHeaders, isOfGateway, requestHeaders } from './head.ts';

/** The only way out of a sandbox: what connects is served as HTTP, and only what is for the server's gateway goes on to it. */
export interface Relay {
  accept(connection: Duplex): void;
  /** Whether a call is being answered. */
  isBusy(): boolean;
  /** Breaks off what is under way, on both sides. */
  close(): void;
}

interface RelayOptions {
  /** Such as http://127.0.0.1:8080; a path in it stands in front of /gateway. */
  readonly server: string;
  readonly log: Log;
}

/** Agents send facts of their own in headers; a line of the largest has 3 KiB. */
const headBytesMax = 32_768;
/** An agent keeps connections while it thinks; a request on one that is being closed would be lost. */
const keepAliveMs = 120_000;
const methods: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS']);

/**
 * It adds no right: the agent's own run token is all that the server sees. Both bodies pass as they come, with the pace of the
 * slower end; an answer that breaks off is broken off here.
 */
export function createRelay({ server: base, log }: RelayOptions): Relay {
  const upstream = upstreamOf(base);
  const connections = new Set<Duplex>();
  let isClosed = false;
  let calls = 0;
  // It never listens: the sandbox's link hands the connections in.
  const server = createServer({ maxHeaderSize: headBytesMax, keepAliveTimeout: keepAliveMs }, (message, answer) => {
    calls += 1;
    answer.once('close', () => (calls -= 1));
    serve(message, answer, { open: options => upstream.open(options), log });
  });
  server.on('clientError', (_error, connection) => void connection.destroy());
  return {
    accept(connection) {
      connections.add(connection);
      connection.once('close', () => connections.delete(connection));
      if (isClosed) connection.destroy();
      else server.emit('connection', connection);
    },
    isBusy: () => calls > 0,
    close() {
      isClosed = true;
      for (const connection of connections) connection.destroy();
      upstream.close();
    },
  };
}

interface Serving {
  readonly open: (options: RequestOptions) => ClientRequest;
  readonly log: Log;
}

function serve(message: IncomingMessage, answer: ServerResponse, { open, log }: Serving): void {
  const { method, url = '' } = message;
  if (!isOfGateway(url)) return refuse(answer, 403, 'Nothing but the gateway can be reached from a sandbox');
  if (!methods.has(method)) return refuse(answer, 405, `${method} is not for the gateway`);
  // Node frames no body of the others: what it would write raw on a kept connection, the server would read as a request.
  const hasBody = method === 'POST';
  const outgoing = open({ method, path: url, headers: requestHeaders(message, { hasBody }) });
  outgoing.once('finish', () => failpoint('call-relayed'));
  answer.once('close', () => outgoing.destroy());
  message.on('error', () => outgoing.destroy());
  outgoing.on('error', error => {
    log.debug({ error: error.message }, 'the gateway could not be reached for a sandbox');
    message.unpipe(outgoing).resume();
    if (answer.headersSent) answer.destroy();
    else refuse(answer, 502, `The server of this run does not answer (${codeOf(error)})`);
  });
  outgoing.once('response', incoming => pass(incoming, answer));
  if (hasBody) {
    message.pipe(outgoing);
    return;
  }
  message.resume();
  outgoing.end();
}

function pass(incoming: IncomingMessage, answer: ServerResponse): void {
  answer.writeHead(incoming.statusCode ?? 502, answerHeaders(incoming));
  // The head at once: a model may think long before its first byte.
  answer.flushHeaders();
  incoming.on('error', () => answer.destroy());
  incoming.pipe(answer);
}

function refuse(answer: ServerResponse, status: number, message: string): void {
  if (answer.destroyed) return;
  // What is still being sent is not read: the connection ends with the answer.
  answer.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  answer.end(JSON.stringify({ error: { type: 'relay', message } }));
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'connection broken off';
}

/** Connections to the one server: its address is the worker's, and nothing that a sandbox says can change it. */
function upstreamOf(base: string): { open(options: RequestOptions): ClientRequest; close(): void } {
  const { protocol, hostname, port, pathname } = new URL(base);
  const pool = { keepAlive: true, maxSockets: linkConnectionsMax };
  const agent = protocol === 'https:' ? new HttpsAgent(pool) : new HttpAgent(pool);
  const request = protocol === 'https:' ? httpsRequest : httpRequest;
  const host = hostname.replace(/^\[|\]$/g, '');
  const prefix = pathname.replace(/\/+$/, '');
  return {
    open: options => request({ ...options, path: `${prefix}${options.path ?? ''}`, host, port, agent }),
    close: () => agent.destroy(),
  };
}
