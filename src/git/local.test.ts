import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { git, makeRepository, temporaryFolder } from '../../test/harness/worker.ts';
import { systemClock } from '../kernel/clock.ts';
import { createHostGit, findLocal } from './index.ts';

let home: string;
beforeEach(() => {
  home = temporaryFolder();
});

const find = (path: string) => findLocal(path, [home]);
const refusal = (words: RegExp) => ({ code: 'repository_unavailable', message: expect.stringMatching(words) as string });

/** A repository at `path`. */
function placed(path: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  renameSync(makeRepository({ a: 'a' }), path);
  return path;
}

function elsewhere(): string {
  return join(temporaryFolder(), 'there');
}

describe('a repository of this machine', () => {
  it('is found by its folder, its git folder, a link, and from a worktree', async () => {
    const source = makeRepository({ a: 'a' });
    const [link, linked, tree] = [elsewhere(), temporaryFolder(), elsewhere()];
    symlinkSync(source, link);
    symlinkSync(join(source, '.git'), join(linked, '.git'));
    git(source, 'worktree', 'add', '--quiet', '-b', 'other', tree);
    const common = join(source, '.git');
    for (const path of [source, common, link, linked])
      expect(await find(path)).toMatchObject({ path: common, common, uid: process.geteuid?.() });
    expect(await find(tree)).toMatchObject({ path: join(common, 'worktrees/there'), common });
  });

  it.each([
    ['no folder', /^There is no .*gone/, () => elsewhere().replace('there', 'gone')],
    ['a plain folder', /is no git repository/, () => temporaryFolder()],
    ['a file', /is no git repository/, () => join(makeRepository({ a: 'a' }), 'a')],
    ['a .git file that names nothing', /is no git repository/, () => withDotGit(path => writeFileSync(path, 'gitdir: /gone\n'))],
    ['a .git file that is none', /is no git repository/, () => withDotGit(path => writeFileSync(path, 'x'.repeat(10_000)))],
    ['a link that leads round', /is no git repository/, () => withDotGit(path => symlinkSync('.git', path))],
    ['a FIFO', /is no git repository/, () => withDotGit(path => void execFileSync('mkfifo', [path]))],
  ])('is not found in %s', async (_, words, make) => {
    await expect(find(make())).rejects.toMatchObject(refusal(words));
  });

  it.each(['HEAD', 'config', 'commondir', 'packed-refs', 'shallow'])(
    'is damaged with a FIFO for its %s, and nobody waits',
    async name => {
      const source = makeRepository({ a: 'a' });
      rmSync(join(source, '.git', name), { force: true });
      execFileSync('mkfifo', [join(source, '.git', name)]);
      await expect(find(source)).rejects.toMatchObject(refusal(new RegExp(`damaged: .*${name} is no file`)));
    },
  );

  it.each(['objects', 'refs'])('is damaged with a FIFO for its %s', async name => {
    const source = makeRepository({ a: 'a' });
    rmSync(join(source, '.git', name), { recursive: true });
    execFileSync('mkfifo', [join(source, '.git', name)]);
    await expect(find(source)).rejects.toMatchObject(refusal(new RegExp(`damaged: .*${name} is no folder`)));
  });
});

function withDotGit(make: (path: string) => void): string {
  const folder = temporaryFolder();
  make(join(folder, '.git'));
  return folder;
}

describe("a repository in Skep's own folder", () => {
  it('is refused by its path and by its git folder', async () => {
    const agents = placed(join(home, 'sandboxes/run/slot/work'));
    for (const path of [agents, `${agents}/.git`, `${home}/worker/../sandboxes/run/slot/work`]) {
      mkdirSync(join(home, 'worker'), { recursive: true });
      await expect(find(path)).rejects.toMatchObject(refusal(/SKEP_HOME/));
    }
  });

  it('is refused through a link, a linked parent, a linked .git, a .git that names it and a worktree of it', async () => {
    const agents = placed(join(home, 'sandboxes/run/work'));
    const [link, parent, tree] = [elsewhere(), elsewhere(), elsewhere()];
    symlinkSync(agents, link);
    symlinkSync(join(home, 'sandboxes'), parent);
    git(agents, 'worktree', 'add', '--quiet', '-b', 'other', tree);
    const linked = withDotGit(path => symlinkSync(join(agents, '.git'), path));
    const named = withDotGit(path => writeFileSync(path, `gitdir: ${join(agents, '.git')}\n`));
    const shared = makeRepository({ a: 'a' });
    writeFileSync(join(shared, '.git/commondir'), join(agents, '.git'));
    for (const path of [link, join(parent, 'run/work'), linked, named, tree, shared])
      await expect(find(path)).rejects.toMatchObject(refusal(/SKEP_HOME/));
  });

  it('is not mistaken for one beside it', async () => {
    const beside = placed(`${home}-beside`);
    await expect(find(beside)).resolves.toMatchObject({ path: join(beside, '.git') });
    rmSync(beside, { recursive: true });
  });
});

describe.skipIf(process.geteuid?.() !== 0)("another user's repository", () => {
  it('is trusted alone where it must be trusted', async () => {
    const theirs = () => {
      const source = makeRepository({ a: 'a' });
      execFileSync('chown', ['-R', '54321:54321', source]);
      chmodSync(source, 0o755);
      return join(source, '.git');
    };
    const [trusted, other] = [theirs(), theirs()];
    const hostGit = await createHostGit(home, systemClock);
    const list = (path: string) =>
      hostGit.text(['ls-remote', '--upload-pack=git-upload-pack --strict', '--', path], { trusted, reachesOut: true });
    expect(await list(trusted)).toContain('refs/heads/main');
    await expect(list(other)).rejects.toThrow(/dubious ownership|not appear|Could not read/);
    const settings = readdirSync(home).filter(name => /gitconfig/.test(name));
    expect(settings.filter(name => /\*/.test(readFileSync(join(home, name), 'utf8')))).toEqual([]);
  });
});
