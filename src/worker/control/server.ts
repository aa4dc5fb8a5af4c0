import { once } from 'node:events';
import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Fault, isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { SandboxProvider } from '../sandbox.ts';
import { execute } from './execute.ts';
import { controlFolder, makeControlFolder, removeDeadSockets, socketName } from './place.ts';
import { stdinBytesMax } from './wire.ts';

export interface Control {
  /** Ends what it runs, and what it listens on is gone. */
  close(): Promise<void>;
}

interface ControlOptions {
  /** Of the worker. */
  readonly folder: string;
  /** Of the worker. */
  readonly name: string;
  readonly sandboxes: Pick<SandboxProvider, 'get' | 'list'>;
  readonly log: Log;
}

const connectionsMax = 64;
/** Base64 and the words around it. */
const bodyBytesMax = Math.ceil(stdinBytesMax / 3) * 4 + 2 ** 20;

/**
 * Lets programs of the same user on this machine run commands in the sandboxes of this worker: HTTP on a unix socket that nobody else
 * can reach. A worker works without it too: where it can't be opened, that is logged.
 */
export async function openControl(options: ControlOptions): Promise<Control> {
  const { log } = options;
  try {
    return await listen(options);
  } catch (error) {
    log.warn({ error: String(error) }, "no control socket could be opened: 'skep sandbox exec' can't reach this worker");
    return { close: () => Promise.resolve() };
  }
}

async function listen(options: ControlOptions): Promise<Control> {
  const folder = controlFolder(options.folder);
  makeControlFolder(folder);
  removeDeadSockets(folder);
  const name = socketName();
  // The path of a socket may have 107 bytes, and a home may have more: so its folder is named by a descriptor.
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const server = createServer((request, response) => void answer(options, request, response));
  server.maxConnections = connectionsMax;
  try {
    server.listen(`/proc/self/fd/${descriptor}/${name}`);
    await once(server, 'listening');
    chmodSync(join(folder, name), 0o600);
  } catch (error) {
    server.close();
    closeSync(descriptor);
    throw error;
  }
  return {
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      closeSync(descriptor);
    },
  };
}

async function answer(options: ControlOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const what = `${request.method ?? ''} ${request.url ?? ''}`;
    if (what === 'GET /sandboxes') return tell(response, { worker: options.name, sandboxes: idsOf(options) });
    if (what !== 'POST /exec') throw new Fault('route_not_found', { message: `There is no ${what}` });
    await execute(options, { body: await bodyOf(request), response });
  } catch (error) {
    const fault = isFault(error) ? error : new Fault('internal', { message: String(error), cause: error });
    const { message, code, hint } = fault;
    response.statusCode = fault.kind.status;
    tell(response, { error: message, code, ...(hint === undefined ? {} : { hint }) });
  }
}

function idsOf({ sandboxes }: ControlOptions): readonly string[] {
  return sandboxes.list().map(({ id }) => id);
}

function tell(response: ServerResponse, document: object): void {
  if (!response.headersSent) response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify(document)}\n`);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new Fault('too_large', { message: `At most ${stdinBytesMax} bytes of stdin are taken` });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new Fault('invalid_json', { cause });
  }
}
