import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processesWith, temporaryFolder } from '../../../test/harness/worker.ts';
import { systemClock } from '../../kernel/clock.ts';
import { createHostGit } from './git.ts';

let server: Server;
let url: string;
let folder: string;
const sockets: Socket[] = [];

/** Takes connections and never says a word. */
beforeEach(async () => {
  folder = temporaryFolder();
  server = createServer(socket => void sockets.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`;
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
});

const helpers = () => processesWith(url).filter(line => line.includes('remote-http'));
const isFree = (lock: string) => execFileSync('flock', ['--nonblock', lock, 'echo', 'free'], { encoding: 'utf8' }).trim();

describe('git on a dead network', () => {
  it('is ended when its time is up, with all that it has started, and holds no lock', async () => {
    const git = await createHostGit(folder, systemClock);
    const lock = join(folder, 'lock');
    const listing = git(['ls-remote', '--', url], { lock, timeoutMs: 1_500 });
    listing.catch(() => {});
    await expect.poll(() => helpers().length, { timeout: 1_400, interval: 20 }).toBeGreaterThan(0);
    await expect(listing).rejects.toThrow('git ls-remote of the repository did not end within 1500 ms');
    expect([helpers(), isFree(lock)]).toEqual([[], 'free']);
  });

  it('is ended in the same way when the run is', async () => {
    const git = await createHostGit(folder, systemClock);
    const stopping = new AbortController();
    const lock = join(folder, 'lock');
    const listing = git(['ls-remote', '--', url], { lock, signal: stopping.signal });
    listing.catch(() => {});
    await expect.poll(() => helpers().length, { timeout: 5_000, interval: 20 }).toBeGreaterThan(0);
    stopping.abort(new Error('stopped'));
    await expect(listing).rejects.toThrow('stopped');
    expect([helpers(), isFree(lock)]).toEqual([[], 'free']);
  });

  it('gives up by itself when nothing at all comes for a minute', async () => {
    const git = await createHostGit(folder, systemClock);
    const settings = await git(['config', '--get-regexp', '^http[.]']);
    expect(settings.split('\n')).toEqual(['http.lowspeedlimit 1', 'http.lowspeedtime 60']);
  });
});
