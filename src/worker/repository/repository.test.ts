import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { git, makeRepository, script, temporaryFolder } from '../../../test/harness/worker.ts';
import { systemClock } from '../../kernel/clock.ts';
import { createRepositories } from './index.ts';
import { parseRemote } from './remote.ts';

const never = new AbortController().signal;
const head = (folder: string) => git(folder, 'rev-parse', 'HEAD');

async function opened(repository: string, folder = temporaryFolder()) {
  const repositories = await createRepositories({ folder, home: folder, clock: systemClock });
  return repositories.open(repository, never);
}

describe('a repository', () => {
  it('is copied, and brought up to date at each opening', async () => {
    const source = makeRepository({ a: 'a' });
    const folder = temporaryFolder();
    const first = await opened(source, folder);
    expect(first.base).toBe(head(source));
    git(source, 'commit', '--quiet', '--allow-empty', '--message=second');
    git(source, 'branch', 'a/b');
    const second = await opened(source, folder);
    expect([second.mirror, second.base]).toEqual([first.mirror, head(source)]);
    git(source, 'branch', '-D', 'a/b');
    git(source, 'branch', 'a');
    git(source, 'reset', '--quiet', '--hard', 'HEAD~1');
    expect((await opened(source, folder)).base).toBe(first.base);
  });

  it('shares no file with its copy', async () => {
    const source = makeRepository({ a: 'a' });
    const { mirror = '' } = await opened(source);
    expect(existsSync(join(mirror, 'objects/info/alternates'))).toBe(false);
    const inodes = (folder: string) =>
      execFileSync('find', [folder, '-type', 'f', '-printf', '%i\n'], { encoding: 'utf8' }).trim().split('\n');
    const own = new Set(inodes(mirror));
    expect(inodes(source).filter(inode => own.has(inode))).toEqual([]);
  });

  it('may be opened by many at once, of this process and of others', async () => {
    const source = makeRepository({ a: 'a' });
    const folder = temporaryFolder();
    const repositories = await Promise.all([1, 2, 3].map(() => createRepositories({ folder, home: folder, clock: systemClock })));
    const openings = await Promise.all([...repositories, ...repositories].map(each => each.open(source, never)));
    expect(new Set(openings.map(({ base }) => base))).toEqual(new Set([head(source)]));
  });

  it('is of use again when a git that worked on its copy was killed', async () => {
    const source = makeRepository({ a: 'a' });
    const folder = temporaryFolder();
    const { mirror = '' } = await opened(source, folder);
    for (const name of ['packed-refs.lock', 'refs/heads/main.lock', 'shallow.lock', 'config.lock'])
      writeFileSync(join(mirror, name), '');
    git(source, 'commit', '--quiet', '--allow-empty', '--message=second');
    expect((await opened(source, folder)).base).toBe(head(source));
  });

  it('may be shallow, bare, of SHA-256, or have a detached HEAD', async () => {
    const source = makeRepository({ a: 'a' });
    git(source, 'commit', '--quiet', '--allow-empty', '--message=second');
    const shallow = join(temporaryFolder(), 'shallow');
    git(source, 'clone', '--quiet', '--depth=1', `file://${source}`, shallow);
    expect((await opened(shallow)).base).toBe(head(source));
    const modern = temporaryFolder();
    git(modern, 'init', '--quiet', '--object-format=sha256');
    git(modern, 'commit', '--quiet', '--allow-empty', '--message=first');
    expect(await opened(modern)).toMatchObject({ base: head(modern), objectFormat: 'sha256' });
    git(source, 'checkout', '--quiet', '--detach', 'HEAD~1');
    git(source, 'branch', '-D', 'main');
    expect((await opened(source)).base).toBe(head(source));
  });

  it('starts from main, or from its one branch, where HEAD names a branch that was never made', async () => {
    const source = makeRepository({ a: 'a' });
    git(source, 'symbolic-ref', 'HEAD', 'refs/heads/other');
    const base = git(source, 'rev-parse', 'main');
    expect((await opened(source)).base).toBe(base);
    git(source, 'branch', '-m', 'main', 'x');
    expect((await opened(source)).base).toBe(base);
    git(source, 'branch', 'y', 'x');
    await expect(opened(source)).rejects.toThrow('HEAD of the repository names a branch that does not exist');
  });

  it('without a commit has a copy and no base', async () => {
    const empty = temporaryFolder();
    git(empty, 'init', '--quiet');
    expect(await opened(empty)).toMatchObject({ base: undefined, mirror: expect.any(String) as string });
  });

  it('that has moved away is refused with its path', async () => {
    const source = makeRepository({ a: 'a' });
    const folder = temporaryFolder();
    await opened(source, folder);
    renameSync(source, `${source}-moved`);
    await expect(opened(source, folder)).rejects.toThrow(`There is no ${source} on the worker's machine`);
    renameSync(`${source}-moved`, source);
  });

  it('is asked without the settings of where the worker was started', async () => {
    const marker = join(temporaryFolder(), 'ran');
    const hostile = makeRepository({ 'run.sh': script(`touch ${marker}`) });
    git(hostile, 'config', 'core.sshCommand', join(hostile, 'run.sh'));
    git(hostile, 'config', 'core.fsmonitor', join(hostile, 'run.sh'));
    git(hostile, 'config', `url.${hostile}.insteadOf`, '/');
    const source = makeRepository({ a: 'b' });
    expect((await opened(source, join(hostile, 'below'))).base).toBe(head(source));
    expect(readdirSync(join(marker, '..'))).toEqual([]);
  });

  it('is asked for with the password of its URL, which no error and no command line shows', async () => {
    const heard: (string | undefined)[] = [];
    const lines: string[] = [];
    const server = createServer((request, response) => {
      heard.push(request.headers.authorization);
      lines.push(...gitCommandLines());
      response.writeHead(403).end();
    }).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const opening = opened(`http://ann:pa%20ss@127.0.0.1:${port}/x.git`);
    await expect(opening).rejects.toThrow(/403/);
    expect(await opening.catch(String)).not.toMatch(/pa(%20| )ss/);
    expect(heard[0]).toBe(`Basic ${Buffer.from('ann:pa ss').toString('base64')}`);
    expect(lines.some(line => line.includes('ls-remote'))).toBe(true);
    expect(lines.join('\n')).not.toMatch(/pa%20ss|Basic/);
    server.close();
  });
});

describe('the address of a repository', () => {
  it('may be a file URL, which is the path that it names', () => {
    expect(parseRemote('file:///srv/a%20b/../x')).toEqual({ url: '/srv/x', secretConfig: {} });
    expect(['file://host/x', 'file:///a%2Fb', 'file:///a%0ab'].map(parseRemote)).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    'ext::sh -c id',
    'EXT::x',
    'fd::7',
    '-x',
    '--upload-pack=x',
    'ssh://-oProxyCommand=x/y',
    'ssh://u@-x/y',
    'relative',
    'file:/x',
    '/a\nb',
    'ftp://x/y',
  ])('refuses %s', address => {
    expect(parseRemote(address)).toBeUndefined();
  });

  it.each(['/srv/x.git', 'https://example.org/x.git', 'ssh://git@example.org/x', 'git://example.org/x'])('takes %s', address => {
    expect(parseRemote(address)).toEqual({ url: address, secretConfig: {} });
  });
});

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
