import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../src/kernel/clock.ts';

/** A provider of models that says byte by byte what a test tells it to say. */
export interface ScriptedModel {
  readonly url: string;
  /** As they came, first to last. */
  readonly requests: readonly ModelRequest[];
  /** What the next requests get, one each; the last one is given to all that come after. */
  answer(...replies: readonly (Reply | ((request: ModelRequest) => Reply))[]): void;
  /** Resolves when the requests look like that. */
  until(see: (requests: readonly ModelRequest[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

export interface ModelRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON, or {} where it is none. */
  readonly body: Record<string, unknown>;
  /** Of the client's end of the connection. */
  readonly port: number | undefined;
  /** All of the answer is written. */
  readonly isAnswered: boolean;
  /** Whoever asked has hung up before the answer had ended. */
  readonly isLeft: boolean;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent one after the other, each at once; nothing is held back. */
  readonly parts?: readonly Part[];
}

/** The connection breaks here. */
export const cut: Part = { ends: 'cut' };
/** Nothing more comes, and no end. */
export const hang: Part = { ends: 'hang' };
/** Not even a head comes. */
export const mute: Part = { ends: 'mute' };

/** Bytes; a wait; or how it goes on without any. */
export type Part =
  | string
  | Uint8Array
  | { readonly waitMs: number }
  | { readonly until: Promise<unknown> }
  | { readonly ends: 'cut' | 'hang' | 'mute' };

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export async function startScriptedModel(): Promise<ScriptedModel> {
  const requests: Mutable<ModelRequest>[] = [];
  const watchers = new Set<() => void>();
  let waiting: (Reply | ((request: ModelRequest) => Reply))[] = [];
  const look = (): void => {
    for (const watcher of watchers) watcher();
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await textOf(request);
    const { method = '', url = '', headers } = request;
    const heard: Mutable<ModelRequest> = {
      method,
      path: url,
      headers,
      text,
      body: parse(text),
      port: request.socket.remotePort,
      isAnswered: false,
      isLeft: false,
    };
    response.once('finish', () => {
      heard.isAnswered = true;
      look();
    });
    response.once('close', () => {
      heard.isLeft = !response.writableFinished;
      look();
    });
    requests.push(heard);
    const next = waiting.length > 1 ? waiting.shift() : waiting[0];
    look();
    if (next === undefined) throw new Error('the scripted model was asked and has nothing to say');
    await play(response, typeof next === 'function' ? next(heard) : next);
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer(...replies) {
      waiting = [...replies];
    },
    until(see) {
      return new Promise(resolve => {
        const watcher = (): void => {
          if (!see(requests)) return;
          watchers.delete(watcher);
          resolve();
        };
        watchers.add(watcher);
        watcher();
      });
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function play(response: ServerResponse, { status = 200, headers = {}, parts = [] }: Reply): Promise<void> {
  if (parts[0] === mute) return;
  const isStream = parts.some(part => typeof part === 'string' && /^(event|data|:)/.test(part));
  response.writeHead(status, { 'content-type': isStream ? 'text/event-stream' : 'application/json', ...headers });
  response.flushHeaders();
  for (const part of parts) {
    if (response.destroyed || part === hang) return;
    if (part === cut) return void response.destroy();
    if (typeof part === 'string' || part instanceof Uint8Array)
      await new Promise<void>(resolve => response.write(part, () => resolve()));
    else if ('waitMs' in part) await systemClock.sleep(part.waitMs);
    else if ('until' in part) await part.until;
  }
  response.end();
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
