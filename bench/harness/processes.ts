import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { tokenCreated } from '../../contract/tokens.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Stage } from './bench.ts';
import { temporaryHome } from './place.ts';

const root = join(import.meta.dirname, '../..');
const stopMs = 20_000;

export interface RunningServer {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  /** From the start of the process to the first 200 of /ready. */
  readonly readyMs: number;
  stop(): Promise<void>;
}

const readyLine = z.object({ url: z.string(), admin_token: z.string().optional(), database: z.object({ version: z.string() }) });

/** What is measured is what users run: dist/, brought up to date first. */
export function build(): void {
  execFileSync(join(root, 'bin/build'), { stdio: 'inherit' });
}

/** `bin/skep server` on a free port of this machine; `token` is that of the home's first start. */
export async function startServer(stage: Stage, { home, token = '' }: { home: string; token?: string }): Promise<RunningServer> {
  const from = performance.now();
  const child = skep(['server', '--json', '--host', '127.0.0.1', '--port', '0', '--home', home]);
  const stop = () => stopProcess(child);
  stage.atEnd(stop);
  const { url, admin_token, database } = readyLine.parse(JSON.parse(await firstLine(child)));
  const answer = await fetch(`${url}/ready`);
  const readyMs = performance.now() - from;
  if (answer.status !== 200) throw new Error(`/ready answered ${answer.status}`);
  stage.measuredOn(database.version);
  return { url, token: admin_token ?? token, pid: child.pid ?? 0, readyMs, stop };
}

/** A server in a home of its own. */
export async function freshServer(stage: Stage): Promise<{ server: RunningServer; client: Client }> {
  build();
  const server = await startServer(stage, { home: temporaryHome(stage) });
  return { server, client: createClient({ server: server.url, token: server.token, clock: systemClock }) };
}

/** `bin/skep worker` with one slot or more, a token of its own role, and a home of its own; its process. */
export async function startWorker(
  stage: Stage,
  { server, client, slots = 1 }: { server: RunningServer; client: Client; slots?: number },
): Promise<number> {
  const { secret } = await client.request('POST', '/api/tokens', {
    body: { name: 'bench', role: 'worker' },
    schema: tokenCreated,
  });
  const home = temporaryHome(stage);
  const tokenFile = join(home, 'token');
  writeFileSync(tokenFile, secret, { mode: 0o600 });
  const child = skep(['worker', '--server', server.url, '--token-file', tokenFile, '--home', home, '--slots', String(slots)]);
  stage.atEnd(() => stopProcess(child));
  await firstLine(child);
  return child.pid ?? 0;
}

/** Proportional memory of these processes and all below them, in MB: pages that several share are divided among them. */
export function memoryMb(pids: readonly number[]): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    const parent = /^PPid:\s*(\d+)/m.exec(readProc(`${name}/status`))?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const isBelow = (pid: number): boolean => pids.includes(pid) || (parents.has(pid) && isBelow(parents.get(pid) ?? 0));
  const sizes = [...parents.keys()].filter(isBelow).map(pid => /^Pss:\s*(\d+) kB/m.exec(readProc(`${pid}/smaps_rollup`))?.[1]);
  return sizes.reduce((sum, kb) => sum + Number(kb ?? 0), 0) / 1_024;
}

/** Time that these processes have had of a core, in microseconds: unlike the clock it does not tell how busy the machine is. */
export function coreUs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + Number(readProc(`${pid}/schedstat`).split(' ')[0] ?? 0), 0) / 1_000;
}

function skep(args: readonly string[]): ChildProcess {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SKEP_|DATABASE_URL$)/.test(name)));
  return spawn(process.execPath, [join(root, 'bin/skep'), ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error('no stdout');
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('error', reject);
    child.once('exit', code => reject(new Error(`bin/skep ended with ${code} before its first line`)));
  });
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>(resolve => void child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await ended;
  clearTimeout(timer);
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return '';
  }
}
