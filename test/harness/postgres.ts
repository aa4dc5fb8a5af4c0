/**
 * Real servers for tests.
 *
 *   embeddedForTests(): Promise<TestServer>               the embedded one, in a temporary home
 *   debianPostgres(): Promise<TestServer | undefined>     Debian's PostgreSQL 15; undefined where it is not installed
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbedded, stopEmbedded } from '../../src/db/embedded/index.ts';
import { readPidFile } from '../../src/db/embedded/pid-file.ts';
import { freePort } from '../../src/db/embedded/place/port.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';

export interface TestServer {
  readonly superuserUrl: string;
  /** Major version. */
  readonly version: number;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
}

const debianFolder = '/usr/lib/postgresql/15/bin';
const unprivileged = 65534;

export async function embeddedForTests(): Promise<TestServer> {
  const home = mkdtempSync(join(tmpdir(), 'skep-pg-'));
  const { superuserUrl } = await startEmbedded({ home, clock: systemClock, log: silentLog });
  return {
    superuserUrl,
    version: 18,
    async stop() {
      await stopEmbedded(home);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Dies with the tests that started it: it is their child, and a lost one would stay for ever. */
export async function debianPostgres(settings: readonly string[] = []): Promise<TestServer | undefined> {
  if (!existsSync(join(debianFolder, 'postgres'))) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'skep-pg15-'));
  const data = join(folder, 'data');
  const port = await freePort();
  const user = process.getuid?.() === 0 ? { uid: unprivileged, gid: unprivileged } : {};
  makeCluster(folder, data, user);
  const log = openSync(join(folder, 'log'), 'a');
  const options = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'shared_buffers=32MB', ...settings];
  const argv = ['-D', data, ...options.flatMap(option => ['-c', option])];
  const child = spawn(join(debianFolder, 'postgres'), argv, { ...user, cwd: '/', stdio: ['ignore', log, log] });
  closeSync(log);
  while (readPidFile(data)?.status !== 'ready') {
    if (child.exitCode !== null) throw new Error(readFileSync(join(folder, 'log'), 'utf8'));
    await systemClock.sleep(5);
  }
  return {
    superuserUrl: `postgres://postgres:test@127.0.0.1:${port}/postgres`,
    version: 15,
    async stop() {
      await ended(child, 'SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function makeCluster(folder: string, data: string, user: { uid?: number; gid?: number }): void {
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(folder, 'password'), 'test\n');
  if (user.uid !== undefined) for (const path of [folder, data]) chownSync(path, user.uid, user.uid);
  const argv = [
    '-D',
    data,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${join(folder, 'password')}`,
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  ];
  const { status, stderr } = spawnSync(join(debianFolder, 'initdb'), argv, { ...user, cwd: '/', encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise(resolve => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}
