import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { fingerprint, git, makeRepository, processesWith, temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import type { Upstream } from '../../../support/repositories/upstream.ts';
import { createGitUpstream } from './index.ts';

const signal = new AbortController().signal;
const branch = 'skep/todo-app';
const ref = 'refs/skep/base';
const head = (folder: string) => git(folder, 'rev-parse', 'HEAD');

let home: string;
let upstream: Upstream;
let gitDir: string;
beforeEach(async () => {
  home = temporaryFolder();
  upstream = await hurried(60_000);
  gitDir = temporaryFolder();
  git(gitDir, 'init', '--quiet', '--bare');
});

const hurried = (lookTimeoutMs: number) => createGitUpstream({ folder: home, home, clock: systemClock, lookTimeoutMs });
const look = (repository: string) => upstream.look(repository, { branch, signal });
const fetch = (repository: string) => upstream.fetch(repository, { gitDir, lock: join(home, 'lock'), ref, signal });
const refusal = (words: RegExp) => ({
  code: 'repository_unavailable',
  message: expect.stringMatching(words) as string,
  hint: expect.any(String) as string,
});

describe('a repository', () => {
  it('is looked at and fetched, and stays as it is', async () => {
    const source = makeRepository({ a: 'a', '.gitattributes': '*.psd filter=lfs\n' });
    git(source, 'tag', 'v1');
    git(source, 'branch', 'other');
    writeFileSync(join(source, 'a'), 'dirty');
    const before = fingerprint(source);
    expect(await look(source)).toEqual({
      commit: head(source),
      objectFormat: 'sha1',
      branchAt: undefined,
      isWritable: true,
      notes: [],
    });
    expect(await fetch(source)).toBe(head(source));
    expect(git(gitDir, 'for-each-ref', '--format=%(refname) %(objectname)')).toBe(`${ref} ${head(source)}`);
    expect(fingerprint(source)).toBe(before);
    expect(readdirSync(gitDir)).not.toContain('FETCH_HEAD');
  });

  it('says where the branch is', async () => {
    const source = makeRepository({ a: 'a' });
    git(source, 'branch', branch);
    expect((await look(source)).branchAt).toBe(head(source));
  });

  it('is fetched again when it has moved on, also backwards', async () => {
    const source = makeRepository({ a: 'a' });
    const first = await fetch(source);
    git(source, 'commit', '--quiet', '--allow-empty', '--message=second');
    expect(await fetch(source)).toBe(head(source));
    git(source, 'reset', '--quiet', '--hard', first);
    expect(await fetch(source)).toBe(first);
  });

  it('without a commit has none, in either format', async () => {
    for (const format of ['sha1', 'sha256'] as const) {
      const empty = temporaryFolder();
      git(empty, 'init', '--quiet', `--object-format=${format}`);
      expect(await look(empty)).toMatchObject({ commit: undefined, objectFormat: format, branchAt: undefined });
      await expect(fetch(empty)).rejects.toMatchObject(refusal(/has no commit/));
    }
  });

  it('may be bare, of SHA-256, a worktree, or have a detached HEAD', async () => {
    const source = makeRepository({ a: 'a' });
    const bare = join(temporaryFolder(), 'bare.git');
    git(source, 'clone', '--quiet', '--bare', source, bare);
    const tree = join(temporaryFolder(), 'tree');
    git(source, 'worktree', 'add', '--quiet', '-b', 'other', tree);
    git(tree, 'commit', '--quiet', '--allow-empty', '--message=other');
    git(source, 'checkout', '--quiet', '--detach');
    for (const path of [source, bare, tree, `file://${source}`]) {
      expect((await look(path)).commit).toBe(head(path.replace('file://', '')));
      expect(await fetch(path)).toBe(head(path.replace('file://', '')));
    }
    const modern = temporaryFolder();
    git(modern, 'init', '--quiet', '--object-format=sha256');
    git(modern, 'commit', '--quiet', '--allow-empty', '--message=first');
    gitDir = temporaryFolder();
    git(gitDir, 'init', '--quiet', '--bare', '--object-format=sha256');
    expect(await look(modern)).toMatchObject({ commit: head(modern), objectFormat: 'sha256' });
    expect(await fetch(modern)).toBe(head(modern));
  });

  it('may be shallow, which is noted', async () => {
    const source = makeRepository({ a: 'a' });
    git(source, 'commit', '--quiet', '--allow-empty', '--message=second');
    const shallow = join(temporaryFolder(), 'shallow');
    git(source, 'clone', '--quiet', '--depth=1', `file://${source}`, shallow);
    expect((await look(shallow)).notes).toEqual([expect.stringContaining('shallow')]);
    expect(await fetch(shallow)).toBe(head(source));
    expect(readFileSync(join(gitDir, 'shallow'), 'utf8').trim()).toBe(head(source));
  });

  it('starts from main, or from its one branch, where HEAD names a branch that was never made', async () => {
    const source = makeRepository({ a: 'a' });
    const start = head(source);
    git(source, 'symbolic-ref', 'HEAD', 'refs/heads/gone');
    expect([(await look(source)).commit, await fetch(source)]).toEqual([start, start]);
    git(source, 'branch', '-m', 'main', 'x');
    expect([(await look(source)).commit, await fetch(source)]).toEqual([start, start]);
    git(source, 'branch', 'y', 'x');
    await expect(look(source)).rejects.toMatchObject(refusal(/names a branch that does not exist/));
    await expect(fetch(source)).rejects.toMatchObject(refusal(/names a branch that does not exist/));
  });

  it("does not start from a branch of Skep's own", async () => {
    const source = makeRepository({ a: 'a' });
    git(source, 'branch', branch);
    git(source, 'symbolic-ref', 'HEAD', 'refs/heads/gone');
    git(source, 'branch', '-D', 'main');
    expect(await look(source)).toMatchObject({ commit: undefined, branchAt: git(source, 'rev-parse', branch) });
  });

  it('with a branch whose name is in the way cannot take ours, which is noted', async () => {
    const source = makeRepository({ a: 'a' });
    git(source, 'branch', 'skep');
    expect(await look(source)).toMatchObject({
      isWritable: false,
      notes: [expect.stringContaining('refs/heads/skep is in its way')],
    });
  });

  it('with branches of hostile names is fetched without them', async () => {
    const source = makeRepository({ a: 'a' });
    for (const name of ['-x', '--upload-pack=touch x', '`id`', '$(touch x)', 'a;touch${IFS}x', 'HEAD'])
      mkdirSync(join(source, '.git/refs/heads', name, '..'), { recursive: true });
    for (const name of ['-x', '--upload-pack=touch x', '`id`', '$(touch x)', 'HEAD'])
      writeFileSync(join(source, '.git/refs/heads', name), `${head(source)}\n`);
    expect([(await look(source)).commit, await fetch(source)]).toEqual([
      git(source, 'rev-parse', 'main'),
      git(source, 'rev-parse', 'main'),
    ]);
    expect(git(gitDir, 'for-each-ref', '--format=%(refname)')).toBe(ref);
  });

  it('is fetched after a git was killed that held the locks of the copy', async () => {
    const source = makeRepository({ a: 'a' });
    await fetch(source);
    git(source, 'commit', '--quiet', '--allow-empty', '--message=second');
    writeFileSync(join(gitDir, `${ref}.lock`), '');
    writeFileSync(join(gitDir, 'shallow.lock'), '');
    expect(await fetch(source)).toBe(head(source));
  });
});

describe('what is no repository', () => {
  it.each(['ext::touch x', 'EXT::x', '-x', '--upload-pack=x', 'relative', 'ssh://-oProxyCommand=x/y', '/a\nb'])(
    'is %j',
    async address => {
      await expect(look(address)).rejects.toMatchObject(refusal(/neither an absolute path nor a URL/));
    },
  );

  it('is a plain folder, what lies in SKEP_HOME, and what has moved away', async () => {
    await expect(look(temporaryFolder())).rejects.toMatchObject(refusal(/is no git repository/));
    const source = makeRepository({ a: 'a' });
    renameSync(source, join(home, 'inside'));
    await expect(look(join(home, 'inside'))).rejects.toMatchObject(refusal(/SKEP_HOME/));
    await expect(fetch(source)).rejects.toMatchObject(refusal(/There is no/));
  });

  it('is one whose objects are lost', async () => {
    const source = makeRepository({ a: 'a' });
    const blob = git(source, 'rev-parse', 'HEAD:a');
    rmSync(join(source, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    await expect(fetch(source)).rejects.toMatchObject({ code: 'repository_unavailable' });
    expect(git(gitDir, 'for-each-ref')).toBe('');
  });

  it.each(['refs/heads/main', 'refs/heads/other'])(
    'is one with a FIFO for %s: it is given up, and nothing of git is left',
    async name => {
      const source = makeRepository({ a: 'a' });
      rmSync(join(source, '.git', name), { force: true });
      execFileSync('mkfifo', [join(source, '.git', name)]);
      upstream = await hurried(700);
      await expect(look(source)).rejects.toMatchObject(refusal(/did not answer in time/));
      expect(processesWith(join(source, '.git'))).toEqual([]);
    },
  );
});

describe('a URL', () => {
  it('that takes connections and says nothing is given up in time', async () => {
    const server = createServer(socket => void socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`;
    upstream = await hurried(700);
    await expect(look(url)).rejects.toMatchObject(refusal(/did not answer in time/));
    expect(processesWith(url)).toEqual([]);
    server.close();
    await expect(look(url)).rejects.toMatchObject(refusal(/cannot be reached/));
  });

  it.each([
    [401, /wants a login/],
    [403, /refuses the login/],
    [404, /does not exist, or is hidden/],
  ])('that answers %i is explained, and no password is shown', async (status, words) => {
    const heard: (string | undefined)[] = [];
    const lines: string[] = [];
    const server = createHttpServer((request, response) => {
      heard.push(request.headers.authorization);
      lines.push(...gitCommandLines());
      response.writeHead(status).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const looking = look(`http://ann:pa%20ss@127.0.0.1:${(server.address() as AddressInfo).port}/x.git`);
    await expect(looking).rejects.toMatchObject(refusal(words));
    expect(await looking.catch((error: unknown) => JSON.stringify([String(error), error]))).not.toMatch(/pa(%20| )ss|Basic/);
    expect(heard[0]).toBe(`Basic ${Buffer.from('ann:pa ss').toString('base64')}`);
    expect(lines.some(line => line.includes('ls-remote'))).toBe(true);
    expect(lines.join('\n')).not.toMatch(/pa%20ss|Basic/);
    server.close();
  });

  it('is looked at and fetched, until its server is gone', async () => {
    const source = makeRepository({ a: 'a' });
    const daemon = await startDaemon(source);
    expect(await look(daemon.url)).toMatchObject({ commit: head(source), isWritable: true, notes: [] });
    expect(await fetch(daemon.url)).toBe(head(source));
    await daemon.stop();
    await expect(fetch(daemon.url)).rejects.toMatchObject(refusal(/cannot be reached/));
    expect(git(gitDir, 'rev-parse', ref)).toBe(head(source));
  });

  it('whose signal comes is not asked any more', async () => {
    const stopping = new AbortController();
    stopping.abort(new Error('stopped'));
    await expect(upstream.look(makeRepository({ a: 'a' }), { branch, signal: stopping.signal })).rejects.toThrow('stopped');
  });
});

/** Git's own server on loopback, of one repository. */
async function startDaemon(repository: string): Promise<{ url: string; stop(): Promise<void> }> {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  const args = ['--verbose', '--reuseaddr', '--listen=127.0.0.1', `--port=${port}`, '--export-all', `--base-path=${repository}`];
  const daemon = spawn(join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-daemon'), args, {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await once(daemon.stderr, 'data');
  return {
    url: `git://127.0.0.1:${port}/.git`,
    async stop() {
      daemon.kill();
      await once(daemon, 'exit');
    },
  };
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
    .filter(line => line.startsWith('git'));
}
