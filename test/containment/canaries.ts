import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { hostname, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';

/** What must be seen nowhere but where it was planted. */
export interface Canaries {
  /** What the hostile program is told: where they are, and none of them. */
  readonly facts: Readonly<Record<string, string | number>>;
  /** One more, to be planted by the test itself. */
  word(): string;
  /** Those that stand in a text. */
  in(text: string): readonly string[];
  /** What was reached of what listens on the host, such as `tcpPort`. */
  readonly reached: readonly string[];
  /** Changes with every name, right and byte of the files. */
  hash(): string;
  close(): void;
}

/** Plants them on the host: in files, sockets, ports, and in the arguments and the environment of a process. */
export async function plantCanaries({ home, uid }: { home: string; uid: number }): Promise<Canaries> {
  const top = mkdtempSync(join(tmpdir(), 'skep-canaries-'));
  chmodSync(top, 0o755);
  const words: string[] = [];
  const reached: string[] = [];
  const closing: (() => void)[] = [];
  const word = (): string => {
    const made = `skep-canary-${randomBytes(16).toString('hex')}`;
    words.push(made);
    return made;
  };

  const files = plantFiles({ top, home, uid, word });
  const abstract = `skep-${randomBytes(8).toString('hex')}`;
  const sockets = Object.fromEntries(
    ['socket', 'agentSocket', 'dockerSocket'].map(name => [name, join(top, 'open', `${name}.sock`)]),
  );
  for (const [name, path] of Object.entries({ ...sockets, abstract: `\0${abstract}` })) await listen(name, { path });
  for (const path of Object.values(sockets)) chmodSync(path, 0o777);
  const ports = {
    tcpPort: await listen('tcpPort', { host: '127.0.0.1', port: 0 }),
    databasePort: await listen('databasePort', { host: '127.0.0.1', port: 0 }),
    tcp6Port: await listen('tcp6Port', { host: '::1', port: 0 }).catch(() => 9),
    udpPort: await listenUdp(),
  };
  // Its arguments and its environment are what `ps` of the host shows.
  const holder = spawn('sh', ['-c', 'read line', word()], { stdio: ['pipe', 'ignore', 'ignore'], env: { CANARY: word() } });
  closing.push(() => holder.kill('SIGKILL'));

  async function listen(name: string, where: { path: string } | { host: string; port: number }): Promise<number> {
    const greeting = word();
    const server: Server = createServer(peer => {
      reached.push(name);
      peer.on('error', () => {});
      peer.end(greeting);
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(where, resolve));
    closing.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  async function listenUdp(): Promise<number> {
    const socket = createSocket('udp4', (_, from) => {
      reached.push('udpPort');
      socket.send(word(), from.port, from.address);
    });
    await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve));
    closing.push(() => socket.close());
    return socket.address().port;
  }

  return {
    facts: {
      ...files,
      ...sockets,
      ...ports,
      abstract,
      hostName: hostname(),
      hostAddress: hostAddress(),
      hostPid: holder.pid ?? 0,
    },
    word,
    reached,
    in: text => words.filter(word => text.includes(word)),
    hash: () => hashOf([top, files.homeFile]),
    close() {
      for (const close of closing) close();
      rmSync(top, { recursive: true, force: true });
    },
  };
}

interface Plant {
  readonly top: string;
  readonly home: string;
  readonly uid: number;
  word(): string;
}

function plantFiles({ top, home, uid, word }: Plant): Record<'hostFile' | 'openFile' | 'privateFile' | 'homeFile', string> {
  for (const [name, mode] of [
    ['open', 0o777],
    ['private', 0o700],
  ] as const) {
    mkdirSync(join(top, name));
    chmodSync(join(top, name), mode);
  }
  const file = (path: string, mode: number): string => {
    writeFileSync(path, `${word()}\n`);
    chmodSync(path, mode);
    return path;
  };
  const homeFile = file(join(home, 'settings.json'), 0o600);
  if (process.geteuid?.() === 0) chownSync(homeFile, uid, uid);
  return {
    homeFile,
    hostFile: file(join(top, 'file'), 0o644),
    openFile: file(join(top, 'open', 'file'), 0o666),
    privateFile: file(join(top, 'private', 'key'), 0o600),
  };
}

/** One that is not the loopback's; of documentation where the machine has no other. */
function hostAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap(each => each ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '192.0.2.7';
}

function hashOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths) addTo(hash, path);
  return hash.digest('hex');
}

function addTo(hash: ReturnType<typeof createHash>, path: string): void {
  const { mode, uid, gid, size, mtimeMs } = lstatSync(path);
  hash.update(JSON.stringify([path, mode, uid, gid, size, mtimeMs]));
  if ((mode & 0o170000) === 0o100000) hash.update(readFileSync(path));
  if ((mode & 0o170000) === 0o040000) for (const name of readdirSync(path).sort()) addTo(hash, join(path, name));
}
