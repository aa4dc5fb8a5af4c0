import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeRepository, processesWith, git as run, script, temporaryFolder } from '../../test/harness/worker.ts';
import { systemClock } from '../kernel/clock.ts';
import { clearLocks, createHostGit, wordsOf } from './index.ts';
import type { HostGit } from './index.ts';

let folder: string;
let git: HostGit;
beforeEach(async () => {
  folder = temporaryFolder();
  git = await createHostGit(folder, systemClock);
});

const isFree = (lock: string) => execFileSync('flock', ['--nonblock', lock, 'echo', 'free'], { encoding: 'utf8' }).trim();

describe('git on a dead network', () => {
  let server: Server;
  let url: string;
  const sockets: Socket[] = [];

  /** Takes connections and never says a word. */
  beforeEach(async () => {
    server = createServer(socket => void sockets.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`;
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  const helpers = () => processesWith(url).filter(line => line.includes('remote-http'));

  it('is ended when its time is up, with all that it has started, and holds no lock', async () => {
    const lock = join(folder, 'lock');
    const listing = git.text(['ls-remote', '--', url], { lock, reachesOut: true, timeoutMs: 1_500 });
    listing.catch(() => {});
    await expect.poll(() => helpers().length, { timeout: 1_400, interval: 20 }).toBeGreaterThan(0);
    await expect(listing).rejects.toThrow('git ls-remote of the repository did not end within 1500 ms');
    expect([helpers(), isFree(lock)]).toEqual([[], 'free']);
  });

  it('is ended in the same way when the run is', async () => {
    const stopping = new AbortController();
    const lock = join(folder, 'lock');
    const listing = git.text(['ls-remote', '--', url], { lock, reachesOut: true, signal: stopping.signal });
    listing.catch(() => {});
    await expect.poll(() => helpers().length, { timeout: 5_000, interval: 20 }).toBeGreaterThan(0);
    stopping.abort(new Error('stopped'));
    await expect(listing).rejects.toThrow('stopped');
    expect([helpers(), isFree(lock)]).toEqual([[], 'free']);
  });

  it('gives up by itself when nothing at all comes for a minute', async () => {
    const settings = await git.text(['config', '--get-regexp', '^http[.]']);
    expect(settings.split('\n')).toEqual(['http.lowspeedlimit 1', 'http.lowspeedtime 60']);
  });

  it('does not even try where no transport is needed, whatever the settings allow', async () => {
    const marker = join(temporaryFolder(), 'ran');
    for (const [address, protocol] of [
      [url, 'http'],
      [`ext::touch ${marker}`, 'ext'],
      [makeRepository({ a: 'a' }), 'file'],
    ] as const) {
      const asked = git.text(['-c', `protocol.${protocol}.allow=always`, 'ls-remote', '--', address]);
      await expect(asked).rejects.toThrow(`transport '${protocol}' not allowed`);
    }
    expect([sockets.length, readdirSync(join(marker, '..'))]).toEqual([0, []]);
  });
});

describe('git on the host', () => {
  const bare = () => {
    const source = makeRepository({ a: 'a', large: 'x\n'.repeat(500_000) });
    return { dir: `--git-dir=${join(source, '.git')}`, head: run(source, 'rev-parse', 'HEAD'), source };
  };

  it('is fed with a text or a stream', async () => {
    const { dir, head } = bare();
    for (const input of [`${head}\n`, Readable.from([Buffer.from(`${head}\n`)])])
      expect(await git.text([dir, 'cat-file', '--batch-check=%(objecttype)'], { input })).toBe('commit');
  });

  it('that does not read what it is fed says why itself', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65_536, 'x');
      })(),
    );
    const packing = git.run([bare().dir, 'index-pack', '--stdin'], { input: endless });
    await expect(packing).rejects.toThrow('pack signature mismatch');
    expect(endless.destroyed).toBe(true);
  });

  it('says why itself also where its input has not ended yet', async () => {
    const open = new PassThrough();
    open.write('x'.repeat(100));
    await expect(git.run([bare().dir, 'index-pack', '--stdin'], { input: open })).rejects.toThrow('pack signature mismatch');
    expect(open.destroyed).toBe(true);
  });

  it('is ended with what broke its input', async () => {
    const { dir } = bare();
    const input = new PassThrough();
    const packing = git.run([dir, 'index-pack', '--stdin'], { input });
    packing.catch(() => {});
    await expect.poll(() => processesWith(dir)).toHaveLength(1);
    input.destroy(new Error('the client is gone'));
    await expect(packing).rejects.toThrow('the client is gone');
  });

  it('writes to a stream as fast as it is read, and leaves its end to the caller', async () => {
    const { dir } = bare();
    let bytes = 0;
    const output = new Writable({
      highWaterMark: 1_000,
      write(chunk: Buffer, _, done) {
        bytes += chunk.length;
        setImmediate(done);
      },
    });
    const { stdout } = await git.run([dir, 'cat-file', 'blob', 'HEAD:large'], { output });
    expect([bytes, stdout.length, output.writableEnded]).toEqual([1_000_000, 0, false]);
  });

  it('ends when what it writes to is gone', async () => {
    const { dir } = bare();
    const output = new PassThrough();
    const writing = git.run([dir, 'cat-file', 'blob', 'HEAD:large'], { output });
    output.once('data', () => output.destroy(new Error('the reader is gone')));
    await expect(writing).rejects.toThrow('the reader is gone');
    expect(processesWith(dir)).toEqual([]);
  });

  it('prints no more than allowed: it fails, or is cut where that is wanted', async () => {
    const { dir } = bare();
    const args = [dir, 'cat-file', 'blob', 'HEAD:large'];
    await expect(git.run(args, { outputBytesMax: 100 })).rejects.toThrow(
      'git cat-file of the repository printed more than allowed',
    );
    const cut = await git.run(args, { outputBytesMax: 100, cuts: true });
    expect([cut.stdout.length, cut.isCut]).toEqual([100, true]);
    const whole = await git.run(args, { outputBytesMax: 1_000_000, cuts: true });
    expect([whole.stdout.length, whole.isCut]).toEqual([1_000_000, false]);
  });

  it('answers with an exit code that is one', async () => {
    const { dir, head } = bare();
    const asked = await git.run([dir, 'rev-parse', '--quiet', '--verify', 'gone'], { accepts: [0, 1] });
    expect([asked.exitCode, asked.stdout.toString()]).toEqual([1, '']);
    await expect(git.run([dir, 'rev-parse', '--verify', 'gone'], { accepts: [0, 1] })).rejects.toThrow(
      'Needed a single revision',
    );
    expect(await git.text([dir, 'rev-parse', 'HEAD'])).toBe(head);
  });

  it('tells what it said from other failures', async () => {
    const failure = await git.run([bare().dir, 'show', 'gone']).catch((error: unknown) => error);
    expect(wordsOf(failure)).toContain('unknown revision');
    expect(wordsOf(new Error('x'))).toBeUndefined();
    const late = await git
      .run([bare().dir, 'cat-file', '--batch'], { input: new PassThrough(), timeoutMs: 50 })
      .catch((e: unknown) => e);
    expect([late, wordsOf(late)]).toMatchObject([{ code: 'repository_unavailable' }, undefined]);
  });

  it('does not show escape sequences or passwords of what it said', async () => {
    const failing = git.run(['ls-remote', '--', 'http://ann:secret@\u001b[2J.example/x'], { reachesOut: true });
    const message = await failing.then(() => '', String);
    expect(message).toContain('//');
    expect(message).not.toMatch(/secret|\u001b/);
  });

  it('is run without the settings of where it was started', async () => {
    const marker = join(temporaryFolder(), 'ran');
    const hostile = makeRepository({ 'run.sh': script(`touch ${marker}`) });
    run(hostile, 'config', 'core.fsmonitor', join(hostile, 'run.sh'));
    run(hostile, 'config', 'alias.x', `!${join(hostile, 'run.sh')}`);
    const inner = join(hostile, 'below');
    mkdirSync(inner);
    const below = await createHostGit(inner, systemClock);
    await expect(below.text(['status'])).rejects.toThrow('not a git repository');
    await expect(below.text(['x'])).rejects.toThrow('not a git command');
    expect(readdirSync(join(marker, '..'))).toEqual([]);
  });

  it('removes the lock files that a killed one left, once, where it may', async () => {
    const { source, dir, head } = bare();
    const stale = join(source, '.git/refs/heads/x.lock');
    writeFileSync(stale, '');
    const update = [dir, 'update-ref', 'refs/heads/x', head];
    const lock = join(folder, 'lock');
    await expect(git.run(update, { lock })).rejects.toThrow('File exists');
    await git.run(update, { lock, clears: join(source, '.git') });
    expect(run(source, 'rev-parse', 'x')).toBe(head);
    writeFileSync(stale, '');
    await clearLocks(join(source, '.git'), lock);
    await git.run(update, { lock });
  });
});
