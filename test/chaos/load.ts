import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provisionEmbedded } from '../../src/db/roles.ts';
import { withDatabase } from '../harness/database.ts';
import { debianPostgres, embeddedForTests, type MortalServer, type TestServer } from '../harness/postgres.ts';
import { type SkepProcess, skep, tempFolder } from '../harness/process.ts';
import { type Answer, callWith } from '../harness/server.ts';
import { makeRepository } from '../harness/worker.ts';
import type { Made } from './oracle.ts';
import { type Proxy, startProxy } from './proxy.ts';
import { staffing } from './projects.ts';
import { type Busy, lastWords, patiently, quick } from './world.ts';

/** Servers on a database of its own, which they reach by a line that can be disturbed; workers; and what was asked of them. */
export interface Load extends Busy {
  /** Between the servers and the database. */
  readonly line: Proxy;
  readonly urls: readonly string[];
  readonly processes: readonly SkepProcess[];
  readonly token: string;
  readonly project: string;
  worker(name: string, options?: { readonly url?: string; readonly slots?: number; readonly home?: string }): SkepProcess;
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
  readonly made: readonly Made[];
}

interface Wanted {
  readonly servers?: number;
  /** Without a repository of the user's nothing is checked and nothing is published. */
  readonly isBare?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly home?: string;
  /** A command that runs the servers. */
  readonly before?: readonly string[];
}

const closing: (() => Promise<void>)[] = [];

/** For afterEach, after endAll: what stands behind the processes. */
export async function endLoads(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}

/** Debian's PostgreSQL 15 where it is installed, of this test's own; undefined where it is not. */
export async function ownPostgres(settings: readonly string[] = [], folder?: string): Promise<MortalServer | undefined> {
  const server = await debianPostgres(settings, folder);
  if (server !== undefined) closing.push(() => server.stop());
  return server;
}

/** A file system of its own, of so many MiB; undefined where this user may mount none. */
export function ownDisk(mib: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'skep-disk-'));
  closing.push(async () => rmSync(folder, { recursive: true, force: true }));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0755`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  // What was killed a moment ago may still stand in it.
  closing.push(async () => void execFileSync('umount', ['--lazy', folder]));
  return folder;
}

/** A line to a port of this machine, such as the one between a worker and its server. */
export async function ownLine(url: string): Promise<{ readonly line: Proxy; readonly url: string }> {
  const line = await startProxy({ port: Number(new URL(url).port) });
  closing.push(() => line.close());
  return { line, url: `http://127.0.0.1:${line.port}` };
}

export async function ownEmbedded(): Promise<TestServer> {
  const server = await embeddedForTests();
  closing.push(() => server.stop());
  return server;
}

export async function startLoad(postgres: TestServer, wanted: Wanted = {}): Promise<Load> {
  const { servers = 1, isBare = false } = wanted;
  const ownerUrl = new URL(await provisionEmbedded(postgres));
  const line = await startProxy({ port: Number(ownerUrl.port) });
  closing.push(() => line.close());
  ownerUrl.port = String(line.port);
  const homes: string[] = [];
  const urls: string[] = [];
  const processes: SkepProcess[] = [];
  const workerHomes = new Set<string>();
  const made: Made[] = [];
  let token = '';
  let fallen = '';
  for (let index = 0; index < servers; index++) {
    const home = index === 0 && wanted.home !== undefined ? wanted.home : tempFolder();
    const place = { SKEP_HOME: home, SKEP_PORT: '0', DATABASE_URL: ownerUrl.href };
    const server = skep(['server', '--json'], { ...quick, ...place, ...wanted.env }, wanted.before);
    processes.push(server);
    void server.ended.then(
      ({ code, signal, stderr }) => (fallen = `\na server ended with ${signal ?? code}: ${stderr.slice(-2_000)}`),
    );
    const ready = await server.line(each => each['event'] === 'ready');
    if (typeof ready['admin_token'] === 'string') token = ready['admin_token'];
    homes.push(home);
    urls.push(String(ready['url']));
  }
  let turn = 0;
  const ask: Load['ask'] = (method, path, body) =>
    patiently(() => callWith(urls[turn++ % urls.length] ?? '', token)(method, path, body)).catch((error: unknown) => {
      throw new Error(`${String(error)}${fallen}`);
    });
  const repository = isBare ? undefined : makeRepository({ 'README.md': '# Stamps\n' });
  const { agent, checks } = staffing('plain', '');
  const project = await ask('POST', '/api/projects', {
    ...{ name: 'load', agent },
    ...(repository === undefined ? { checks: [] } : { repository, checks }),
  });
  const database = withDatabase(postgres.superuserUrl, 'skep');
  return {
    ...{ line, database, urls, processes, token, made, ask, project: String(project.body['id']) },
    worker(name, { url = urls[0] ?? '', slots = 2, home = tempFolder() } = {}) {
      workerHomes.add(home);
      const words = ['worker', '--json', '--server', url, '--name', name, '--slots', String(slots)];
      return skep(words, { SKEP_HOME: home, SKEP_TOKEN: token });
    },
    async pour(count) {
      for (let index = 0; index < count; index++) {
        const answer = await ask('POST', '/api/tickets', { project_id: project.body['id'], title: `part ${made.length}` });
        if (answer.status !== 201) throw new Error(`the ticket was refused: ${JSON.stringify(answer.body)}`);
        made.push({ id: String(answer.body['id']), repository });
      }
    },
    scene: () => ({ database, made, homes, workerHomes: [...workerHomes] }),
    said: () => lastWords(processes),
  };
}
