import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { skep } from '../../../test/harness/cli.ts';
import { readSettings } from '../../config.ts';
import { clearEmbedded, startEmbedded } from '../../db/embedded/index.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { processInfo } from '../../kernel/processes/info.ts';
import type { World } from '../world.ts';
import { cloneAt, findClone, placesIn, removeHome } from './places.ts';
import type { Clone } from './places.ts';
import { makePlaces } from './sample.ts';
import { forgetState, readState, writeState } from './state.ts';
import { clearLast, lastDemo, stopDemo } from './stop.ts';
import { demoSettings, worldWith } from './world.ts';

let folder: string;
let clone: Clone;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'skep-demos-')));
  clone = { ...cloneAt(folder), sample: findClone().sample };
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** A demo that was begun by this clone. */
function begun(pid: number, more: { isKept?: boolean } = {}): string {
  const made = join(folder, 'skep-demo-made');
  mkdirSync(placesIn(made).home, { recursive: true });
  mkdirSync(placesIn(made).repository, { recursive: true });
  writeState(clone, { folder: made, agent: 'pi', isChaotic: true, pid, isKept: false, ...more });
  return made;
}

/** A process that has ended. */
function dead(): number {
  return Number(execFileSync(process.execPath, ['-p', 'process.pid']).toString());
}

function worldOf(): World & { readonly said: string[] } {
  const said: string[] = [];
  const output = { isTerminal: false, hasColour: false, write: (text: string | Uint8Array) => void said.push(String(text)) };
  return {
    ...{ argv: [], cwd: folder, out: output, err: output, clock: systemClock, said },
    settings: given => Promise.resolve(readSettings(given, { SKEP_TOKEN: 'mine', SKEP_HOME: '/mine', SKEP_WORKER_SLOTS: '7' })),
    stopRequested: () => new Promise(() => {}),
    input: { isTerminal: false, read: () => Promise.resolve(Buffer.alloc(0)), ask: () => Promise.resolve('') },
  };
}

describe('the sample repository of a demo', () => {
  it('is the same commit each time, whatever the user has set for git', async () => {
    const made = [await makePlaces(clone), await makePlaces(clone)];
    const git = (path: string, ...words: string[]) =>
      execFileSync('git', ['-C', path, ...words])
        .toString()
        .trim();
    try {
      const [first, second] = made.map(({ repository }) => git(repository, 'rev-parse', 'HEAD'));
      expect(first).toBe(second);
      const path = made[0]?.repository ?? '';
      expect(git(path, 'log', '--format=%an %ae %ad', '--date=iso')).toBe(
        'The tally authors tally@example.invalid 2026-03-01 09:00:00 +0000',
      );
      expect(git(path, 'status', '--porcelain')).toBe('');
      expect(git(path, 'ls-files')).toContain('test/lines.test.js');
    } finally {
      for (const places of made) rmSync(places.folder, { recursive: true });
    }
  });

  it('leaves nothing where it cannot be made', async () => {
    const before = temporary();
    await expect(makePlaces({ ...clone, sample: join(folder, 'nowhere') })).rejects.toThrow('nowhere');
    expect(temporary()).toEqual(before);
  });
});

const temporary = () => readdirSync(tmpdir()).filter(name => name.startsWith('skep-demo-'));

describe('the settings of a demo', () => {
  it('are its own, whatever the environment says', async () => {
    const places = placesIn(join(folder, 'made'));
    const world = worldWith(worldOf(), demoSettings(clone, places, { slots: 4, isChaotic: false }));
    const settings = await world.settings({ SKEP_SERVER: undefined, SKEP_TOKEN: undefined, SKEP_HOME: undefined });
    expect(settings).toMatchObject({ SKEP_HOME: places.home, SKEP_RECORDING: clone.recording, SKEP_WORKER_SLOTS: 4 });
    expect(settings.SKEP_TOKEN).toBeUndefined();
  });

  it('miss a worker sooner where it is going to be killed', async () => {
    const world = worldWith(worldOf(), demoSettings(clone, placesIn(folder), { slots: 4, isChaotic: true }));
    expect((await world.settings({})).SKEP_LEASE_MS).toBe(5_000);
  });
});

describe('what is known of a demo', () => {
  it('is what --resume goes on with, once its process is gone', () => {
    const made = begun(dead());
    expect(lastDemo(clone, { agent: 'codex', resume: true })).toMatchObject({ folder: made, agent: 'pi', isChaotic: true });
    expect(lastDemo(clone, { agent: 'codex' })).toBeUndefined();
  });

  it('keeps a second one from beginning beside it', () => {
    begun(process.pid);
    expect(() => lastDemo(clone, { agent: 'codex' })).toThrow(`A demo runs here already (process ${process.pid})`);
    expect(() => lastDemo(clone, { agent: 'codex', resume: true })).toThrow('runs here already');
    begun(process.pid, { isKept: true });
    expect(() => lastDemo(clone, { agent: 'codex' })).toThrow('A demo was kept running');
  });

  it('is nothing to go on with where there is none, or where it was kept', () => {
    expect(() => lastDemo(clone, { agent: 'codex', resume: true })).toThrow('There is no interrupted demo');
    begun(dead(), { isKept: true });
    expect(() => lastDemo(clone, { agent: 'codex', resume: true })).toThrow('There is no interrupted demo');
  });

  it('is no obstacle where it cannot be read', () => {
    begun(process.pid);
    writeFileSync(clone.state, '{"folder":');
    expect(readState(clone)).toBeUndefined();
    forgetState(clone);
    forgetState(clone);
  });

  it('gives way to a new demo, with all that it has on the disk', async () => {
    const made = begun(dead());
    await clearLast(worldOf(), clone);
    expect([existsSync(made), readState(clone)]).toEqual([false, undefined]);
  });
});

describe('the database of a demo that was killed', () => {
  const start = (home: string) => startEmbedded({ home, clock: systemClock, log: silentLog });
  // By its process: of a server whose folder is gone nothing else tells.
  const isRunning = ({ pid }: { readonly pid: number }) => processInfo(pid)?.zombie === false;

  it.each([
    ['a new demo', { isKept: false }, () => clearLast(worldOf(), clone)],
    ['--stop', { isKept: false }, () => stopDemo(worldOf(), { agent: 'codex' }, clone)],
    ['--stop where it was kept', { isKept: true }, () => stopDemo(worldOf(), { agent: 'codex' }, clone)],
  ] as const)('is ended before its folder is removed, and no other one, by %s', async (_who, state, clear) => {
    const { home } = placesIn(begun(dead(), state));
    const neighbour = join(folder, 'neighbour');
    const [own, other] = [await start(home), await start(neighbour)];
    try {
      await clear();
      expect([isRunning(own), isRunning(other)]).toEqual([false, true]);
      expect([existsSync(home), readState(clone)]).toEqual([false, undefined]);
    } finally {
      if (isRunning(own)) process.kill(own.pid, 'SIGQUIT');
      await clearEmbedded(neighbour);
    }
  });
});

describe('skep demo --stop', () => {
  it('ends the server that was kept, and leaves the repository', async () => {
    const server = spawn(process.execPath, ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1000)'], { stdio: 'pipe' });
    children.push(server);
    await new Promise(resolve => void server.stdout.once('data', resolve));
    const made = begun(server.pid ?? 0, { isKept: true });
    const world = worldOf();
    await stopDemo(world, { agent: 'codex' }, clone);
    expect(server.signalCode ?? server.exitCode ?? 'SIGTERM').toBe('SIGTERM');
    expect([existsSync(placesIn(made).home), existsSync(placesIn(made).repository)]).toEqual([false, true]);
    expect(world.said.join('')).toContain(`rm -r ${made}`);
    await expect(stopDemo(world, { agent: 'codex' }, clone)).rejects.toThrow('No demo runs, and none was interrupted');
  });

  it('removes all of an interrupted one, and nothing of one that runs', async () => {
    const made = begun(process.pid);
    await expect(stopDemo(worldOf(), { agent: 'codex' }, clone)).rejects.toThrow('A demo runs here already');
    expect(existsSync(made)).toBe(true);
    begun(dead());
    await stopDemo(worldOf(), { agent: 'codex' }, clone);
    expect([existsSync(made), readState(clone)]).toEqual([false, undefined]);
  });
});

describe('skep demo', () => {
  it('refuses what does not go together', async () => {
    const { code, err } = await skep(['demo', '--resume', '--chaos']);
    expect([code, err]).toEqual([2, 'error: --resume does not go with --chaos\n']);
  });

  it('removes the data of a demo and not its repository', () => {
    const places = placesIn(begun(dead()));
    removeHome(places);
    expect([existsSync(places.home), existsSync(places.repository)]).toEqual([false, true]);
  });

  it('is a command of package.json, as a program', () => {
    const { root } = findClone();
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    expect(statSync(join(root, scripts['demo'] ?? '')).mode & 0o111).not.toBe(0);
  });
});
