import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Stage } from '../harness/bench.ts';
import { temporaryHome } from '../harness/place.ts';
import { makeRepository } from '../harness/repository.ts';

const program = join(import.meta.dirname, '../../bin/skep');

/** `skep start` or one of its halves, with every setting at its default. */
export interface Part {
  readonly pid: number;
  readonly ready: Record<string, unknown>;
  /** SIGKILL, to this process alone. */
  kill(): Promise<void>;
}

/** A home with work in it, whose parts are killed. */
export interface Hive {
  readonly home: string;
  readonly url: string;
  /** A worker that is called otherwise than `w` is on another machine: its home is another. */
  start(verb: 'start' | 'server' | 'worker', name?: string): Promise<Part>;
  /** Tickets of one project, which an agent works on that runs this script. */
  open(script: string, count: number): Promise<void>;
  get<T>(path: string): Promise<T>;
  tickets(): Promise<readonly { readonly id: string; readonly status: string; readonly attempts: number }[]>;
  /** Milliseconds from now, or from `from`, until it is so. */
  untilSo(what: string, isSo: () => Promise<boolean> | boolean, options?: { from?: number; msMax?: number }): Promise<number>;
}

/** What it says while a part of it is dead is not what is measured; why it does not start is said all the same. */
const quiet = { SKEP_LOG_LEVEL: 'silent' };

const lookMs = 10;
const waitMsMax = 120_000;

export async function openHive(stage: Stage, first: 'start' | 'server'): Promise<{ hive: Hive; part: Part }> {
  const home = temporaryHome(stage);
  let place = { url: '', token: '', port: '0' };
  async function start(verb: 'start' | 'server' | 'worker', name = 'w'): Promise<Part> {
    const at = verb === 'worker' ? ['--server', place.url, '--name', name] : ['--port', place.port];
    const ownHome = name === 'w' ? home : temporaryHome(stage);
    const child = spawn(process.execPath, [program, verb, '--json', '--home', ownHome, ...at], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], SKEP_TOKEN: place.token, ...quiet },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    stage.atEnd(() => kill(child, 'SIGTERM'));
    return { pid: child.pid ?? 0, ready: await readyOf(child, verb), kill: () => kill(child, 'SIGKILL') };
  }
  const part = await start(first);
  const url = String(part.ready['url']);
  place = { url, token: String(part.ready['admin_token']), port: new URL(url).port };
  const call = (method: string, path: string, body?: object) => request(place, { method, path, body });
  const hive: Hive = {
    ...{ home, url, start },
    async open(script, count) {
      const agent = { kind: 'exec', command: ['sh', '-c', script] };
      const wanted = { name: 'recovery', repository: makeRepository(stage), agent, checks: [] };
      const { id } = await call('POST', '/api/projects', wanted);
      for (let i = 0; i < count; i++) await call('POST', '/api/tickets', { project_id: id, title: `part ${i}` });
    },
    get: async <T>(path: string) => (await call('GET', path)) as T,
    async tickets() {
      const { tickets } = await call('GET', '/api/tickets?limit=500');
      return tickets as { id: string; status: string; attempts: number }[];
    },
    untilSo,
  };
  return { hive, part };
}

async function request(
  { url, token }: { url: string; token: string },
  { method, path, body }: { method: string; path: string; body: object | undefined },
): Promise<Record<string, unknown>> {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(5_000),
  });
  const said = (await answer.json()) as Record<string, unknown>;
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(said)}`);
  return said;
}

/** Who is asked may be away: that is no answer yet. */
async function untilSo(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  { from = performance.now(), msMax = waitMsMax }: { from?: number; msMax?: number } = {},
): Promise<number> {
  for (;;) {
    const isNow = await Promise.resolve()
      .then(isSo)
      .catch(() => false);
    const ms = performance.now() - from;
    if (isNow) return ms;
    if (ms > msMax) throw new Error(`not within ${msMax} ms: ${what}`);
    await systemClock.sleep(lookMs);
  }
}

function readyOf(child: ChildProcess, verb: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error('no stdout');
    createInterface({ input: child.stdout }).on('line', text => {
      const line = JSON.parse(text) as Record<string, unknown>;
      if (line['event'] === (verb === 'worker' ? 'started' : 'ready')) resolve(line);
    });
    child.once('exit', code => reject(new Error(`skep ${verb} ended with ${code} before it was ready`)));
  });
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>(resolve => void child.once('exit', () => resolve()));
  child.kill(signal);
  await ended;
}

/** Processes whose command line is exactly these words. */
export function processesOf(...words: readonly string[]): number[] {
  const wanted = `${words.join('\0')}\0`;
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => readOrNothing(`/proc/${name}/cmdline`) === wanted)
    .map(Number);
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
