import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { git, makeRepository, temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import type { Upstream } from '../../../support/repositories/upstream.ts';
import { createGitUpstream } from './index.ts';

const signal = new AbortController().signal;
const branch = 'skep/todo-app';
const ref = `refs/heads/${branch}`;

let upstream: Upstream;
let source: string;
let gitDir: string;
let base: string;
beforeEach(async () => {
  const home = temporaryFolder();
  upstream = await createGitUpstream({ folder: home, home, clock: systemClock });
  source = makeRepository({ a: 'a' });
  gitDir = temporaryFolder();
  git(gitDir, 'init', '--quiet', '--bare');
  base = await fetch();
});

const fetch = (from = source) => upstream.fetch(from, { gitDir, lock: join(gitDir, 'lock'), ref: 'refs/skep/base', signal });
const publish = (commit: string, expected?: string, to = source) =>
  upstream.publish(to, { gitDir, commit, branch, expected, signal });

/** A commit that follows on `parent`, with a file of its own. */
function follow(parent: string, content = 'new'): string {
  const blob = execFileSync('git', ['--git-dir', gitDir, 'hash-object', '-w', '--stdin'], {
    input: content,
    encoding: 'utf8',
  }).trim();
  const tree = execFileSync('git', ['--git-dir', gitDir, 'mktree'], {
    input: `100644 blob ${blob}\tnew\n`,
    encoding: 'utf8',
  }).trim();
  return git(gitDir, 'commit-tree', '-p', parent, '-m', content, tree);
}

/** All that is there but the objects and the branch: name, mode, time of change, content. */
function snapshot(folder: string): string[] {
  const isOurs = (name: string) => /^[.]git\/(objects|(logs\/)?refs\/heads)(\/|$)|^[.]git(\/logs\/refs)?$/.test(name);
  const names = (readdirSync(folder, { recursive: true }) as string[]).filter(name => !isOurs(name)).sort();
  return names.map(name => {
    const { mode, mtimeMs, nlink } = lstatSync(join(folder, name));
    const content = lstatSync(join(folder, name)).isFile() ? readFileSync(join(folder, name)) : '';
    return `${name} ${mode} ${mtimeMs} ${nlink} ${createHash('sha256').update(content).digest('hex')}`;
  });
}

describe('a branch', () => {
  it('is pushed, once and again, and followed by the next, and nothing else changes', async () => {
    writeFileSync(join(source, 'a'), 'dirty');
    git(source, 'branch', 'other');
    for (const key of ['receive.updateServerInfo', 'receive.autogc', 'receive.advertisePushOptions'])
      git(source, 'config', key, 'true');
    for (const key of ['gc.auto', 'gc.autoPackLimit', 'receive.unpackLimit']) git(source, 'config', key, '1');
    const before = snapshot(source);
    const first = follow(base);
    await publish(first);
    await publish(first);
    const second = follow(first, 'second');
    await publish(second, first);
    await publish(second, first);
    expect(snapshot(source)).toEqual(before);
    expect(git(source, 'for-each-ref', '--format=%(refname) %(objectname)')).toBe(
      [`refs/heads/main ${base}`, `refs/heads/other ${base}`, `${ref} ${second}`].join('\n'),
    );
    expect(git(source, 'show', `${branch}:new`)).toBe('second');
    git(source, 'fsck', '--strict');
  });

  it('may be pushed twice at once', async () => {
    const commit = follow(base);
    await Promise.all([publish(commit), publish(commit), publish(commit)]);
    expect(git(source, 'rev-parse', branch)).toBe(commit);
  });

  it("that is somebody else's is left as it is", async () => {
    git(source, 'branch', branch);
    const commit = follow(base);
    const refusal = { code: 'branch_exists', hint: expect.stringContaining(branch) as string };
    await expect(publish(commit)).rejects.toMatchObject(refusal);
    await expect(publish(commit, follow(base, 'other'))).rejects.toMatchObject(refusal);
    expect(git(source, 'rev-parse', branch)).toBe(base);
    git(source, 'branch', '-D', branch);
    await expect(publish(commit, base)).rejects.toMatchObject({ ...refusal, message: expect.stringContaining('gone') as string });
  });

  it('that is another name for the current branch is not written through', async () => {
    git(source, 'symbolic-ref', ref, 'refs/heads/main');
    await expect(publish(follow(base), base)).rejects.toMatchObject({
      code: 'branch_exists',
      hint: expect.stringContaining('symbolic-ref') as string,
    });
    expect(git(source, 'rev-parse', 'main')).toBe(base);
  });

  it('that is checked out, there or in a worktree, is refused', async () => {
    const refusal = { code: 'push_refused', hint: expect.stringContaining('Check out another') as string };
    git(source, 'checkout', '--quiet', '-b', branch);
    await expect(publish(follow(base), base)).rejects.toMatchObject(refusal);
    git(source, 'checkout', '--quiet', 'main');
    git(source, 'worktree', 'add', '--quiet', join(temporaryFolder(), 'tree'), branch);
    await expect(publish(follow(base), base)).rejects.toMatchObject(refusal);
    expect(git(source, 'rev-parse', branch)).toBe(base);
  });

  it('below which there is another is refused', async () => {
    git(source, 'branch', `${branch}/more`);
    await expect(publish(follow(base))).rejects.toMatchObject({
      code: 'push_refused',
      hint: expect.stringContaining('in the way') as string,
    });
  });

  it('of a name that is no plain name is never asked for', async () => {
    const what = { gitDir, commit: base, expected: undefined, signal };
    for (const name of ['-x', 'a..b', '--all', '`id`', 'a b', 'x:refs/heads/main'])
      await expect(upstream.publish(source, { ...what, branch: name })).rejects.toThrow('no name of a branch');
    await expect(upstream.publish(source, { ...what, branch, commit: '--mirror' })).rejects.toThrow('no name of a branch');
  });
});

describe('a repository', () => {
  it('may be bare, a worktree, shallow, empty, or have a detached HEAD', async () => {
    const bare = join(temporaryFolder(), 'bare.git');
    git(source, 'clone', '--quiet', '--bare', source, bare);
    const tree = join(temporaryFolder(), 'tree');
    git(source, 'worktree', 'add', '--quiet', '-b', 'other', tree);
    git(source, 'checkout', '--quiet', '--detach');
    const commit = follow(base);
    for (const to of [bare, tree]) {
      await publish(commit, undefined, to);
      expect(git(to, 'rev-parse', branch)).toBe(commit);
    }
    expect(git(source, 'rev-parse', branch)).toBe(commit);
    const empty = temporaryFolder();
    git(empty, 'init', '--quiet');
    await publish(commit, undefined, empty);
    expect(git(empty, 'rev-parse', branch)).toBe(commit);
  });

  it('may be shallow: what was fetched from it goes back to it', async () => {
    git(source, 'commit', '--quiet', '--allow-empty', '--message=second');
    const shallow = join(temporaryFolder(), 'shallow');
    git(source, 'clone', '--quiet', '--depth=1', `file://${source}`, shallow);
    gitDir = temporaryFolder();
    git(gitDir, 'init', '--quiet', '--bare');
    const commit = follow(await fetch(shallow));
    await publish(commit, undefined, shallow);
    git(shallow, 'fsck', '--strict');
    git(shallow, 'fetch', '--quiet', '--unshallow');
    const next = follow(commit, 'next');
    await publish(next, commit, shallow);
    expect(git(shallow, 'rev-list', '--count', branch)).toBe('4');
  });

  it('may be of SHA-256', async () => {
    source = temporaryFolder();
    git(source, 'init', '--quiet', '--object-format=sha256');
    git(source, 'commit', '--quiet', '--allow-empty', '--message=first');
    gitDir = temporaryFolder();
    git(gitDir, 'init', '--quiet', '--bare', '--object-format=sha256');
    const commit = follow(await fetch());
    await publish(commit);
    expect(git(source, 'rev-parse', branch)).toBe(commit);
  });

  it('that is gone is told to be', async () => {
    rmSync(source, { recursive: true });
    mkdirSync(source);
    await expect(publish(follow(base))).rejects.toMatchObject({ code: 'repository_unavailable' });
  });

  it.skipIf(process.geteuid?.() !== 0).each(['objects', 'refs/heads'])('whose owner may not write %s refuses', async folder => {
    execFileSync('chown', ['-R', '54321:54321', source]);
    expect((await upstream.look(source, { branch, signal })).isWritable).toBe(true);
    execFileSync('find', [join(source, '.git', folder), '-type', 'd', '-exec', 'chmod', 'a-w', '{}', '+']);
    expect(await upstream.look(source, { branch, signal })).toMatchObject({
      isWritable: false,
      notes: [expect.stringContaining('cannot be written')],
    });
    await expect(publish(follow(base))).rejects.toMatchObject({
      code: 'push_refused',
      hint: expect.stringContaining('Let Skep write') as string,
    });
    chmodSync(join(source, '.git', folder), 0o755);
    expect(git(source, 'branch', '--list', branch)).toBe('');
  });
});

describe('a server', () => {
  it('that takes pushes gets the branch; one that does not refuses', async () => {
    const closed = await startDaemon(source, []);
    const commit = follow(base);
    await expect(publish(commit, undefined, closed.url)).rejects.toMatchObject({ code: 'push_refused' });
    await closed.stop();
    const open = await startDaemon(source, ['--enable=receive-pack']);
    await publish(commit, undefined, open.url);
    await publish(commit, undefined, open.url);
    await expect(publish(follow(base, 'other'), undefined, open.url)).rejects.toMatchObject({ code: 'branch_exists' });
    await open.stop();
    expect(git(source, 'rev-parse', branch)).toBe(commit);
    await expect(publish(follow(commit), commit, open.url)).rejects.toMatchObject({ code: 'repository_unavailable' });
  });
});

/** Git's own server on loopback, of one repository. */
async function startDaemon(repository: string, more: readonly string[]): Promise<{ url: string; stop(): Promise<void> }> {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  const args = [
    '--verbose',
    '--reuseaddr',
    '--listen=127.0.0.1',
    `--port=${port}`,
    '--export-all',
    `--base-path=${repository}`,
    ...more,
  ];
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
