/**
 * Real servers for tests.
 *
 *   embeddedForTests(): Promise<TestServer>               the embedded one, in a temporary home
 *   debianPostgres(): Promise<TestServer | undefined>     Debian's PostgreSQL 15; undefined where it is not installed
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEmbedded, stopEmbedded } from '../../src/db/embedded/index.ts';
import { readPidFile } from '../../src/db/embedded/pid-file.ts';
import { freePort } from '../../src/db/embedded/place/port.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { ownFolder, removeOwn } from './left.ts';

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
  const home = ownFolder('skep-pg-');
  const { superuserUrl } = await startEmbedded({ home, clock: systemClock, log: silentLog });
  return {
    superuserUrl,
    version: 18,
    async stop() {
      await stopEmbedded(home);
      await removeOwn(home);
    },
  };
}

/** One that a test may kill and start again, at the same port. */
export interface MortalServer extends TestServer {
  /** SIGKILL, or SIGQUIT for what PostgreSQL calls an immediate stop. Resolves when it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Resolves when it is ready. */
  start(): Promise<void>;
}

/** A child of the tests that started it. */
export async function debianPostgres(
  settings: readonly string[] = [],
  folder = ownFolder('skep-pg15-'),
): Promise<MortalServer | undefined> {
  if (!existsSync(join(debianFolder, 'postgres'))) return undefined;
  const data = join(folder, 'data');
  const port = await freePort();
  const user = process.getuid?.() === 0 ? { uid: unprivileged, gid: unprivileged } : {};
  makeCluster(folder, data, user);
  const log = join(folder, 'log');
  const options = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'shared_buffers=32MB', ...settings];
  const argv = ['-D', data, ...options.flatMap(option => ['-c', option])];
  let child: ChildProcess | undefined;

  /** False where it ended at once: what a killed one has left in memory may still be there. */
  async function isUp(): Promise<boolean> {
    const output = openSync(log, 'a');
    child = spawn(join(debianFolder, 'postgres'), argv, { ...user, cwd: '/', stdio: ['ignore', output, output] });
    closeSync(output);
    // A pid file of the one before says that it was ready.
    for (let file = readPidFile(data); file?.pid !== child.pid || file?.status !== 'ready'; file = readPidFile(data)) {
      if (child.exitCode !== null || child.signalCode !== null) return false;
      await systemClock.sleep(5);
    }
    return true;
  }

  async function start(): Promise<void> {
    for (let tries = 1; !(await isUp()); tries++) {
      if (tries === startsMax) throw new Error(readFileSync(log, 'utf8').slice(-4_000));
      await systemClock.sleep(100);
    }
  }

  await start();
  return {
    superuserUrl: `postgres://postgres:test@127.0.0.1:${port}/postgres`,
    version: 15,
    start,
    kill: signal => (child === undefined ? Promise.resolve() : ended(child, signal)),
    async stop() {
      if (child !== undefined) await ended(child, 'SIGINT');
      await removeOwn(folder);
    },
  };
}

const startsMax = 100;

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
