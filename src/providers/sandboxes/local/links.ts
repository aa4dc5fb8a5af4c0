import { once } from 'node:events';
import { chmodSync, chownSync, closeSync, constants, openSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { linkConnectionsMax } from '../../../worker/sandbox.ts';
import type { SandboxLink } from '../../../worker/sandbox.ts';

/** The sockets of one sandbox, listened to by this process. */
export interface Links {
  /** Resolves when every link can be connected to; rejects with what stands in the way of one. */
  readonly listening: Promise<void>;
  /** Ends all connections and stops listening. Never throws. */
  close(): Promise<void>;
}

interface Place {
  /** Where they are made, in the order of the links. The folder above belongs to the worker alone. */
  readonly sockets: readonly string[];
  /** Whose they are, where that is not the worker. */
  readonly uid: number | undefined;
}

export function openLinks(links: readonly SandboxLink[], { sockets, uid }: Place): Links {
  const opened: Links[] = [];
  try {
    for (const [i, link] of links.entries()) opened.push(listen(link, { socket: sockets[i] ?? '', uid }));
  } catch (error) {
    for (const { close } of opened) void close();
    throw error;
  }
  return {
    listening: Promise.all(opened.map(({ listening }) => listening)).then(() => {}),
    close: async () => void (await Promise.all(opened.map(({ close }) => close()))),
  };
}

/**
 * The path of a socket may have 107 bytes and a slot's has more, so the folder is named by its descriptor. That stays open until
 * the socket is closed: closing removes the file by the same name, which must not have become another folder's.
 */
function listen({ onConnection }: SandboxLink, { socket, uid }: { socket: string; uid: number | undefined }): Links {
  const folder = openSync(dirname(socket), constants.O_RDONLY | constants.O_DIRECTORY);
  const connections = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, connection => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
    // Who takes the connection may listen too; without a listener an error would end the worker.
    connection.on('error', () => connection.destroy());
    onConnection(connection);
  });
  server.maxConnections = linkConnectionsMax;
  // No descriptor is free for one more connection: who tried is hung up on.
  server.on('error', () => {});
  server.listen(`/proc/self/fd/${folder}/${basename(socket)}`);

  async function begin(): Promise<void> {
    await once(server, 'listening');
    chmodSync(socket, 0o600);
    if (uid !== undefined) chownSync(socket, uid, uid);
  }

  const listening = begin();
  // Whoever waits for it is told; whoever closes without waiting is not ended by it.
  listening.catch(() => {});
  let closed: Promise<void> | undefined;
  return {
    listening,
    close: () => (closed ??= end(server, connections).finally(() => closeSync(folder))),
  };
}

async function end(server: Server, connections: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>(resolve => server.close(() => resolve()));
  for (const connection of connections) connection.destroy();
  await closed;
}
