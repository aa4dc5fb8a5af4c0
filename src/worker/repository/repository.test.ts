import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { QueuedRun, ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { git, makeRepository, temporaryFolder } from '../../../test/harness/worker.ts';
import { createClient } from '../../client/index.ts';
import { systemClock } from '../../kernel/clock.ts';
import { workerProtocol } from '../client.ts';
import { createRepositories } from './index.ts';
import type { Copy, Wanted } from './index.ts';

/** What does not pack well. */
const noise = randomBytes(300_000).toString('base64');
const never = new AbortController().signal;
const patient = { timeout: 10_000, interval: 20 };
let server: ScriptedServer;
let folder: string;

beforeEach(async () => {
  server = await startScriptedServer();
  folder = temporaryFolder();
});
afterEach(() => server.close());

async function repositories(token = 'secret', url = server.url) {
  const client = createClient({ server: url, token, clock: systemClock });
  return createRepositories({ folder, client, clock: systemClock, random: () => 0 });
}

/** A run of this repository that is claimed, and what it needs. */
async function claimed(repository: string, signal = never): Promise<{ run: QueuedRun; wanted: Wanted }> {
  const run = server.queue({ repository });
  const protocol = workerProtocol(createClient({ server: server.url, token: 'secret', clock: systemClock }));
  const got = await protocol.claim({ worker: 'w', capabilities: [], waitMs: 0 }, never);
  if (got === undefined) throw new Error('nothing was claimed');
  const { task, project, lease } = got;
  const key = { runId: run.id, token: lease.token };
  const wanted = { projectId: project.id, objectFormat: task.object_format, commits: [task.commit], key, signal };
  return { run, wanted };
}

async function opened(repository: string): Promise<Copy> {
  return (await repositories()).open((await claimed(repository)).wanted);
}

function commit(repository: string, name: string, content = name): void {
  writeFileSync(join(repository, name), content);
  git(repository, 'add', '--all');
  git(repository, 'commit', '--quiet', `--message=${name}`);
}

const asked = (): number => server.requests.filter(({ path }) => path.includes('/repository/')).length;
const head = (repository: string): string => git(repository, 'rev-parse', 'HEAD');
const whole = (copy: Copy, commit: string): string => git(copy.path, 'rev-list', '--objects', '--quiet', commit);
const packs = (copy: Copy): string[] => readdirSync(join(copy.path, 'objects/pack')).filter(name => name.endsWith('.pack'));

describe('the commits of a run', () => {
  it('are fetched from the server, whole, and not a second time', async () => {
    const source = makeRepository({ a: 'a' });
    const copy = await opened(source);
    expect(whole(copy, head(source))).toBe('');
    const before = asked();
    expect(await opened(source)).toEqual(copy);
    expect(asked()).toBe(before);
  });

  it('that follow cost what is new in them', async () => {
    const source = makeRepository({ big: 'x' });
    commit(source, 'noise', noise);
    const copy = await opened(source);
    commit(source, 'small');
    await opened(source);
    expect(packs(copy)).toHaveLength(2);
    const sizes = packs(copy).map(name => statSync(join(copy.path, 'objects/pack', name)).size);
    expect(Math.min(...sizes)).toBeLessThan(1_000);
    expect(git(copy.path, 'for-each-ref', '--format=%(refname) %(objectname)')).toBe(`refs/skep/last ${head(source)}`);
  });

  it('that follow are asked for once, by one call', async () => {
    const source = makeRepository({ a: 'a' });
    const copy = await opened(source);
    for (const name of ['b', 'c']) {
      commit(source, name);
      const before = asked();
      await opened(source);
      expect([asked() - before, server.requests.at(-1)?.path]).toEqual([1, expect.stringMatching(/\/git-upload-pack$/)]);
      expect(whole(copy, head(source))).toBe('');
    }
  });

  it('may be of a history that is cut', async () => {
    const source = temporaryFolder();
    const deep = makeRepository({ a: 'a' });
    commit(deep, 'b');
    git(source, 'clone', '--quiet', '--depth=1', `file://${deep}`, '.');
    for (const name of ['c', 'd']) {
      const copy = await opened(source);
      expect(whole(copy, head(source))).toBe('');
      expect(git(copy.path, 'rev-list', '--count', head(source))).toBe(name === 'c' ? '1' : '2');
      commit(source, name);
    }
  });

  it('may be of SHA-256', async () => {
    const source = temporaryFolder();
    git(source, 'init', '--quiet', '--object-format=sha256');
    git(source, 'commit', '--quiet', '--allow-empty', '--message=first');
    const copy = await opened(source);
    expect(git(copy.path, 'cat-file', '-t', head(source))).toBe('commit');
    commit(source, 'b');
    const before = asked();
    await opened(source);
    expect([whole(copy, head(source)), asked() - before]).toEqual(['', 1]);
  });

  it('may be asked for by many at once, of this process and of others', async () => {
    const source = makeRepository({ a: 'a' });
    const runs = await Promise.all([1, 2, 3, 4].map(() => claimed(source)));
    const several = await Promise.all([repositories(), repositories()]);
    const copies = await Promise.all(runs.map(({ wanted }, i) => (several[i % 2] ?? several[0]).open(wanted)));
    expect(new Set(copies.map(({ path }) => path)).size).toBe(1);
  });

  it('are kept in few packs, with what no ref names', async () => {
    const source = makeRepository({ a: 'a' });
    const copy = await opened(source);
    const blobs = [...Array(51).keys()].map(i => {
      const blob = git(copy.path, '-c', 'alias.add-blob=!echo $1 | git hash-object -w --stdin #', 'add-blob', String(i));
      git(copy.path, '-c', 'alias.pack=!echo $1 | git pack-objects -q objects/pack/pack #', 'pack', blob);
      return blob;
    });
    git(copy.path, 'prune-packed');
    expect(packs(copy)).toHaveLength(52);
    commit(source, 'b');
    await opened(source);
    expect(packs(copy).length).toBeLessThan(10);
    for (const blob of blobs) expect(git(copy.path, 'cat-file', '-t', blob)).toBe('blob');
    expect(whole(copy, head(source))).toBe('');
  });

  it('leave nothing to be read from the user’s repository but what the server serves', async () => {
    const source = makeRepository({ a: 'a' });
    git(source, 'branch', 'other');
    git(source, 'tag', 'v1');
    const copy = await opened(source);
    expect(git(copy.path, 'for-each-ref', '--format=%(refname)')).toBe('refs/skep/last');
    expect(readFileSync(join(copy.path, 'config'), 'utf8')).not.toContain(server.url);
  });
});

describe('a fetch', () => {
  it('says who it is to the server alone, where no command line shows it', async () => {
    const heard: string[] = [];
    const lines: string[] = [];
    const other = createServer(socket => socket.on('error', () => {}).on('data', bytes => heard.push(bytes.toString()))).listen(
      0,
      '127.0.0.1',
    );
    await once(other, 'listening');
    const redirecting = createServer(socket =>
      socket
        .on('error', () => {})
        .on('data', bytes => {
          heard.push(bytes.toString());
          lines.push(...gitCommandLines());
          const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/stolen`;
          socket.end(`HTTP/1.1 302 Go\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);
        }),
    ).listen(0, '127.0.0.1');
    await once(redirecting, 'listening');
    const stopping = new AbortController();
    const { wanted } = await claimed(makeRepository({ a: 'a' }), stopping.signal);
    const at = await repositories('top-secret', `http://127.0.0.1:${(redirecting.address() as AddressInfo).port}`);
    const opening = at.open(wanted);
    opening.catch(() => {});
    await expect.poll(() => heard.length, patient).toBeGreaterThan(1);
    stopping.abort(new Error('stopped'));
    await expect(opening).rejects.toThrow('stopped');
    expect(heard[0]).toMatch(/^GET \/api\/runs\/[^/]+\/repository\/info\/refs\?service=git-upload-pack HTTP/);
    expect(heard[0]).toMatch(/^authorization: Bearer top-secret/im);
    expect(heard[0]).toContain(`skep-lease: ${wanted.key.token}`);
    expect(heard.join('\n')).not.toContain('stolen');
    expect(lines.some(line => line.includes('fetch'))).toBe(true);
    expect(lines.join('\n')).not.toMatch(new RegExp(`top-secret|${wanted.key.token}`));
    redirecting.close();
    other.close();
  });

  it('with a token or a lease that is refused is given up at once', async () => {
    const source = makeRepository({ a: 'a' });
    const { run, wanted } = await claimed(source);
    await expect((await repositories('wrong')).open(wanted)).rejects.toMatchObject({ code: 'unauthenticated' });
    run.takeBack();
    await expect((await repositories()).open(wanted)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(run.refused).toContain('repository');
  });

  it('of what the server does not have fails the run', async () => {
    const { wanted } = await claimed('/nonexistent');
    await expect((await repositories()).open(wanted)).rejects.toMatchObject({ facts: { class: 'repository' } });
    const { wanted: other } = await claimed(makeRepository({ a: 'a' }));
    await expect((await repositories()).open({ ...other, commits: ['1'.repeat(40)] })).rejects.toMatchObject({
      facts: { class: 'repository' },
      message: expect.stringMatching(/^git fetch of the repository failed: .*not our ref/) as string,
    });
  });

  it('is made again when the server that went away in the middle of it is back', async () => {
    const source = makeRepository({ a: 'a' });
    commit(source, 'noise', noise);
    const { wanted } = await claimed(source);
    server.breakOff(/\/git-upload-pack$/, 200_000);
    const opening = (await repositories()).open(wanted);
    await server.until(() => server.requests.some(({ status }) => status === 0));
    await server.goAway();
    await server.comeBack();
    expect(whole(await opening, head(source))).toBe('');
  });

  it('that is cut off leaves no commit that lacks a part', async () => {
    const source = makeRepository({ a: 'a' });
    const copy = await opened(source);
    commit(source, 'noise', noise);
    const stopping = new AbortController();
    const { wanted } = await claimed(source, stopping.signal);
    server.breakOff(/\/git-upload-pack$/, 200_000);
    const opening = (await repositories()).open(wanted);
    opening.catch(() => {});
    await server.until(() => server.requests.some(({ status }) => status === 0));
    server.answerWith(503);
    // Asked when git has ended.
    await server.until(() => server.requests.some(({ status }) => status === 503));
    stopping.abort(new Error('stopped'));
    await expect(opening).rejects.toThrow('stopped');
    expect(() => git(copy.path, 'cat-file', '-e', head(source))).toThrow(/Command failed/);
    server.answerWith(undefined);
    expect(whole(await opened(source), head(source))).toBe('');
  });

  it('from a server that says nothing ends when the run does, and holds nobody up', async () => {
    const sockets: Socket[] = [];
    const silent = createServer(socket => void sockets.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const source = makeRepository({ a: 'a' });
    const stopping = new AbortController();
    const { wanted } = await claimed(source, stopping.signal);
    const at = await repositories('secret', `http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    const opening = at.open(wanted);
    opening.catch(() => {});
    await expect.poll(() => sockets.length, patient).toBe(1);
    stopping.abort(new Error('stopped'));
    await expect(opening).rejects.toThrow('stopped');
    expect(whole(await opened(source), head(source))).toBe('');
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
});

describe('a copy', () => {
  it('is of use again when a git that worked on it was killed', async () => {
    const source = makeRepository({ a: 'a' });
    const copy = await opened(source);
    for (const name of ['packed-refs.lock', 'refs/skep/last.lock', 'shallow.lock', 'config.lock'])
      writeFileSync(join(copy.path, name), '');
    commit(source, 'b');
    expect(await opened(source)).toEqual(copy);
    expect(whole(copy, head(source))).toBe('');
  });

  it.each([
    ['has lost the end of a pack', (path: string) => truncateSync(join(path, 'objects/pack', firstPack(path)), 20)],
    ['has a commit without its files', (path: string) => hollow(path)],
    ['has lost its refs', (path: string) => rmSync(join(path, 'refs'), { recursive: true })],
    ['has lost its objects', (path: string) => rmSync(join(path, 'objects'), { recursive: true })],
    ['has settings that are none', (path: string) => writeFileSync(join(path, 'config'), '[core\n')],
    ['is of another hash', (path: string) => remake(path)],
    ['is empty', (path: string) => emptied(path)],
  ])('that %s is made again', async (_, break_) => {
    const source = makeRepository({ a: 'a' });
    const copy = await opened(source);
    break_(copy.path);
    commit(source, 'b');
    expect(whole(await opened(source), head(source))).toBe('');
  });

  it('is replaced once for all that found it broken', async () => {
    const source = makeRepository({ a: 'a' });
    const copy = await opened(source);
    const { wanted } = await claimed(source);
    const at = await repositories();
    const next = await at.replace(copy, wanted);
    expect(next.made).not.toBe(copy.made);
    expect(await at.replace(copy, wanted)).toEqual(next);
  });
});

const firstPack = (path: string): string => readdirSync(join(path, 'objects/pack')).find(name => name.endsWith('.pack')) ?? '';

/** Leaves the commit alone: it is there, and nothing that it leads to. */
function hollow(path: string): void {
  const folder = join(path, 'objects/pack');
  const before = readdirSync(folder);
  git(path, '-c', 'alias.only=!git rev-parse refs/skep/last | git pack-objects -q objects/pack/pack #', 'only');
  for (const name of before) rmSync(join(folder, name), { force: true });
}

function emptied(path: string): void {
  rmSync(path, { recursive: true });
  mkdirSync(path);
}

function remake(path: string): void {
  rmSync(path, { recursive: true });
  git(join(path, '..'), 'init', '--quiet', '--bare', '--object-format=sha256', path);
}

function gitCommandLines(): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter(line => /(^|\/)(git|flock)/.test(line));
}
