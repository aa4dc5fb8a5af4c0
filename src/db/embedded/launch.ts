import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import type { Clock } from '../../kernel/clock.ts';
import type { Binaries } from './place/binaries.ts';
import { guarded, type Site } from './place/folder.ts';
import { handOver, type Identity, spawnAs } from './place/identity.ts';
import { readPidFile } from './pid-file.ts';

export interface Launch {
  readonly site: Site;
  readonly binaries: Binaries;
  readonly identity: Identity;
  readonly clock: Clock;
}

export type Launched =
  | { readonly ok: true; readonly pid: number }
  | { readonly ok: false; readonly why: Refusal; readonly line: string };
export type Refusal = 'port_in_use' | 'disk_full' | 'folder_busy' | 'too_slow' | 'other';

/** Crash recovery may take long; a server that answers neither way for this time is given up. */
const readyMs = 120_000;
const logBytesMax = 16 * 1024 * 1024;

/**
 * Starts one postmaster in its own session, so that neither Ctrl-C in this terminal nor the end of this process reaches it,
 * and waits until it says in its pid file that it is ready.
 */
export async function launch({ site, binaries, identity, clock }: Launch, port: number): Promise<Launched> {
  const { descriptor, offset } = openServerLog(site, identity);
  const command = [binaries.postgres, '-D', site.data, ...settings(port)] as const;
  const child = spawnAs(identity, command, { detached: true, stdio: ['ignore', descriptor, descriptor] });
  closeSync(descriptor);
  child.unref();
  let ended: string | undefined;
  child.once('error', error => (ended = error.message));
  child.once('exit', (code, signal) => (ended = `it ended with ${signal ?? code}`));
  const deadline = clock.mono() + readyMs;
  while (ended === undefined && clock.mono() < deadline) {
    const file = readPidFile(site.data);
    if (file?.pid === child.pid && file?.status === 'ready') return { ok: true, pid: file.pid };
    await clock.sleep(4);
  }
  if (ended === undefined) child.kill('SIGINT');
  return refusal(
    ended,
    guarded(site.log, () => readFileSync(site.log).subarray(offset).toString('utf8')),
  );
}

/**
 * On the command line, so that they hold whatever the configuration files say. Durability first; the rest keeps an idle
 * server near 20 MB: no I/O workers and no launcher for logical replication.
 */
function settings(port: number): string[] {
  const durable = ['fsync=on', 'full_page_writes=on', 'synchronous_commit=on'];
  const reach = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=100'];
  const small = ['shared_buffers=32MB', 'io_method=sync', 'max_logical_replication_workers=0', 'max_wal_size=256MB'];
  const plain = ['lc_messages=C', 'timezone=UTC', 'log_timezone=UTC', 'logging_collector=off', 'log_destination=stderr'];
  return [...reach, ...durable, ...small, ...plain].flatMap(setting => ['-c', setting]);
}

function openServerLog(site: Site, identity: Identity): { descriptor: number; offset: number } {
  return guarded(site.log, () => {
    const size = statSync(site.log, { throwIfNoEntry: false })?.size ?? 0;
    if (size > logBytesMax) renameSync(site.log, `${site.log}.1`);
    const descriptor = openSync(site.log, 'a', 0o600);
    handOver(identity, site.log);
    return { descriptor, offset: size > logBytesMax ? 0 : size };
  });
}

function refusal(ended: string | undefined, output: string): Launched {
  const bad = output.split('\n').filter(line => /FATAL:|PANIC:|error while loading|could not bind|unshare:/.test(line));
  // Some of its complaints carry no level: then all that it said.
  const line =
    bad.at(-1) ?? (output.trim().replaceAll('\n', ' ').slice(-400) || ended) ?? `it is not ready after ${readyMs / 1000} s`;
  return { ok: false, why: classify(ended, output), line: line.replace(/^.*?(FATAL|PANIC):\s*/, '') };
}

function classify(ended: string | undefined, output: string): Refusal {
  if (/could not bind .*: Address already in use/.test(output)) return 'port_in_use';
  // Shared memory is a file system of its own, often tiny in containers: freeing disk would not help.
  if (/(No space left on device|Disk quota exceeded)/.test(output) && !/shared memory/.test(output)) return 'disk_full';
  if (/pre-existing shared memory block|lock file ".*" already exists/.test(output)) return 'folder_busy';
  return ended === undefined ? 'too_slow' : 'other';
}
