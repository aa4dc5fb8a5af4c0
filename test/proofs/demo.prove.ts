import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import { removeTree } from '../harness/disks.ts';
import { spokenLines } from '../harness/json-lines.ts';
import type { JsonLine as Line } from '../harness/json-lines.ts';

/**
 * `npm run demo` as a person has it, with the real Codex, in a copy of this clone: what it leaves on the disk and among the processes
 * is part of what it promises.
 */
const root = join(import.meta.dirname, '../..');
const timeout = 600_000;
/** With its times: what is built is not built again. */
const whole = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true };
let clone: string;
let temporary: string;

interface Ended {
  readonly code: number | null;
  readonly lines: readonly Line[];
  readonly err: string;
  readonly wallMs: number;
}

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), 'skep-clone-'));
  execFileSync(join(root, 'bin/build'));
  for (const name of ['bin', 'demo', 'dist', 'package.json', 'package-lock.json', 'src', 'contract'])
    cpSync(join(root, name), join(clone, name), whole);
  for (const name of readdirSync(root).filter(name => name.startsWith('tsconfig')))
    cpSync(join(root, name), join(clone, name), whole);
  // Links to the files and never to the folder: the set-up of the copy may install anew, and what it removes must be its own.
  const modules = [join(root, 'node_modules'), join(clone, 'node_modules')];
  if (spawnSync('cp', ['-al', ...modules]).status !== 0) execFileSync('cp', ['-a', ...modules]);
  mkdirSync(join(clone, '.cache'));
  cpSync(join(root, '.cache/build.stamp'), join(clone, '.cache/build.stamp'), whole);
  if (existsSync(join(root, '.cache/agents'))) cpSync(join(root, '.cache/agents'), join(clone, '.cache/agents'), whole);
  temporary = join(clone, 'tmp');
  mkdirSync(temporary);
});
afterEach(() => {
  for (const pid of ours()) process.kill(pid, 'SIGKILL');
  removeTree(temporary);
  mkdirSync(temporary);
});
afterAll(() => rmSync(clone, { recursive: true, force: true }));

/** Processes that have to do with the copy: they name it, or its folder for temporary files. */
function ours(): number[] {
  return allPids().filter(pid => pid !== process.pid && (processInfo(pid)?.argv ?? []).some(word => word.includes(clone)));
}

interface Running {
  readonly ended: Promise<Ended>;
  readonly interrupt: () => void;
  /** The first line for which `wanted` holds; fails where the demo ends before. */
  line(wanted: (line: Line) => boolean): Promise<Line>;
}

function demo(...words: readonly string[]): Running {
  const began = performance.now();
  // A HOME of its own shows what would be left in that of a person.
  const home = join(temporary, 'person');
  mkdirSync(home, { recursive: true });
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    TMPDIR: temporary,
    SKEP_TOKEN: 'not-for-the-demo',
    OPENAI_API_KEY: 'not-for-the-demo',
  };
  const child = spawn('npm', ['run', '--silent', 'demo', '--', '--json', ...words], {
    cwd: clone,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { lines, ended, line } = spokenLines(child);
  return {
    ended: ended.then(({ code, signal, err }) => ({
      // npm ends by the signal itself.
      ...{ code: signal === 'SIGINT' ? 130 : code, lines, err },
      wallMs: performance.now() - began,
    })),
    // As a terminal does it: to all of them.
    interrupt: () => process.kill(-(child.pid ?? 0), 'SIGINT'),
    line,
  };
}

const summaryOf = ({ lines }: Ended) => lines.find(({ event }) => event === 'summary');
const folders = () => readdirSync(temporary).filter(name => name !== 'person');
const statuses = ({ lines }: Ended, title: string) =>
  lines.filter(line => line['event'] === 'ticket' && line['title'] === title).map(line => line['status']);

/** All that may be there when a demo has ended: the repository with the result. */
function expectOnlyTheRepository({ lines }: Ended): string {
  const repository = String(lines.find(({ event }) => event === 'left')?.['repository']);
  expect(folders().map(name => readdirSync(join(temporary, name)))).toEqual([['tally']]);
  expect(repository).toBe(join(temporary, folders()[0] ?? '', 'tally'));
  expect(readdirSync(join(temporary, 'person')).filter(name => name !== '.npm')).toEqual([]);
  expect(existsSync(join(clone, '.cache/demo.json'))).toBe(false);
  expect(ours()).toEqual([]);
  return repository;
}

function expectBuilt(ended: Ended): void {
  expect([ended.code, ended.err]).toEqual([0, ended.err]);
  const summary = summaryOf(ended) ?? { event: 'none' };
  expect(summary).toMatchObject({ state: 'completed', proof: 'proven', recorded: true, published: true });
  expect((summary['tickets'] as unknown[]).length).toBeGreaterThanOrEqual(8);
  expect(summary).toMatchObject({ costs: { calls: 0 }, recorded_costs: { note: 'recorded demo: nothing was paid' } });
  expect((summary['recorded_costs'] as { calls: number }).calls).toBeGreaterThan(40);
  const repository = expectOnlyTheRepository(ended);
  const branch = String(summary['branch']);
  execFileSync('git', ['-C', repository, 'checkout', '--quiet', branch]);
  const invoice = execFileSync(process.execPath, ['src/cli.js', 'example/march.txt', 'example/rates.txt'], { cwd: repository });
  expect(invoice.toString()).toContain('825.88 EUR');
}

describe('npm run demo', () => {
  it(
    'goes from the idea to merged work, with one ticket that is red at first, and leaves nothing but the repository',
    async () => {
      const ended = await demo('--yes').ended;
      expectBuilt(ended);
      // The same wrong turn is not taken twice: it was handed in, sent back, and handed in again.
      expect(statuses(ended, 'Lay out tables')).toEqual(expect.arrayContaining(['verifying', 'ready', 'completed']));
      expect(ended.lines.some(({ event, state }) => event === 'check' && state === 'needs_work')).toBe(true);
      expect(widest(ended)).toBeGreaterThanOrEqual(3);
      expect(ended.lines[0]).toMatchObject({ event: 'demo', label: 'recorded demo' });
    },
    timeout,
  );

  it(
    'survives the death of its worker, and tells which runs were lost',
    async () => {
      const ended = await demo('--yes', '--chaos').ended;
      expectBuilt(ended);
      const chaos = ended.lines.find(({ event }) => event === 'chaos');
      expect(chaos?.['killed_processes']).toHaveLength(1);
      const losses = chaos?.['losses'] as { run_id: string; taken_up_by: string | null }[];
      expect(losses.length).toBeGreaterThan(0);
      expect(losses.every(({ taken_up_by: next }) => next !== null)).toBe(true);
    },
    timeout,
  );

  it.each<[string, (line: Line) => boolean]>([
    ['while it plans', ({ event, phase }) => event === 'planning' && phase === 'DESIGN'],
    ['in the middle of its tickets', ({ event, status }) => event === 'ticket' && status === 'completed'],
  ])(
    'goes on after Ctrl-C %s',
    async (_, wanted) => {
      const first = demo('--yes');
      await first.line(wanted);
      first.interrupt();
      const { code, lines } = await first.ended;
      expect(code).toBe(130);
      expect(lines.at(-1)).toMatchObject({ event: 'interrupted' });
      expect(ours()).toEqual([]);
      expect(folders()).toHaveLength(1);
      expectBuilt(await demo('--yes', '--resume').ended);
    },
    timeout,
  );

  it(
    'stops and says why where the sample is not what was recorded',
    async () => {
      const readme = join(clone, 'demo/sample/src/lines.js');
      const before = readFileSync(readme, 'utf8');
      writeFileSync(readme, before.replaceAll('readLines', 'linesOf'));
      const cli = join(clone, 'demo/sample/src/cli.js');
      const test = join(clone, 'demo/sample/test/lines.test.js');
      const others = [cli, test].map(path => [path, readFileSync(path, 'utf8')] as const);
      for (const [path, text] of others) writeFileSync(path, text.replaceAll('readLines', 'linesOf'));
      try {
        const ended = await demo('--yes').ended;
        expect(ended.code).toBe(1);
        const summary = summaryOf(ended);
        expect(summary).toMatchObject({ state: 'failed', exit_code: 1 });
        const tickets = summary?.['tickets'] as { title: string; status: string; reason: string | null }[];
        const failed = tickets.filter(({ status }) => status === 'failed');
        expect(failed.map(({ title }) => title)).toEqual(expect.arrayContaining(['Parse entries']));
        expect(failed.map(({ reason }) => reason).join()).toContain('export function readLines(text)');
        expectOnlyTheRepository(ended);
      } finally {
        writeFileSync(readme, before);
        for (const [path, text] of others) writeFileSync(path, text);
      }
    },
    timeout,
  );

  it(
    'leaves server and worker running where that is wanted, and stops them',
    async () => {
      const ended = await demo('--yes', '--keep').ended;
      expect([ended.code, ended.err]).toEqual([0, ended.err]);
      const kept = ended.lines.find(({ event }) => event === 'kept');
      const token = readFileSync(String(kept?.['token_file']), 'utf8').trim();
      const answer = await fetch(`${String(kept?.['url'])}/api/tickets`, { headers: { authorization: `Bearer ${token}` } });
      expect(answer.status).toBe(200);
      expect((await demo('--yes').ended).code).toBe(4);
      const stopped = await demo('--stop').ended;
      expect([stopped.code, stopped.lines.at(-1)?.['event']]).toEqual([0, 'stopped']);
      expect(ours()).toEqual([]);
      expect(folders().map(name => readdirSync(join(temporary, name)))).toEqual([['tally']]);
    },
    timeout,
  );
});

/** Tickets that agents worked on at once, at most. */
function widest({ lines }: Ended): number {
  const running = new Set<unknown>();
  let most = 0;
  for (const { event, ticket_id: id, status } of lines) {
    if (event !== 'ticket') continue;
    if (status === 'running') running.add(id);
    else running.delete(id);
    most = Math.max(most, running.size);
  }
  return most;
}
