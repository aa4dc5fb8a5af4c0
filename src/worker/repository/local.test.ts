import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { git, makeRepository, temporaryFolder } from '../../../test/harness/worker.ts';
import { systemClock } from '../../kernel/clock.ts';
import { createHostGit } from './git.ts';
import { createRepositories } from './index.ts';

const never = new AbortController().signal;
const refusal = { code: 'failed', facts: { class: 'invalid_task' }, message: expect.stringContaining('SKEP_HOME') as string };

let home: string;
beforeEach(() => {
  home = temporaryFolder();
});

async function open(repository: string) {
  const repositories = await createRepositories({ folder: join(home, 'worker/repositories'), home, clock: systemClock });
  return repositories.open(repository, never);
}

/** A repository at `path`. */
function placed(path: string): string {
  mkdirSync(join(path, '..'), { recursive: true });
  renameSync(makeRepository({ a: 'a' }), path);
  return path;
}

function elsewhere(): string {
  return join(temporaryFolder(), 'there');
}

describe("a repository in Skep's own folder", () => {
  it('is refused by its path and by its URL', async () => {
    const agents = placed(join(home, 'sandboxes/run/slot/work'));
    const others = (await open(makeRepository({ a: 'a' }))).mirror ?? '';
    for (const path of [agents, `${agents}/.git`, others, `file://${agents}`, `${home}/worker/../sandboxes/run/slot/work`])
      await expect(open(path)).rejects.toMatchObject(refusal);
  });

  it('is refused through a link, a linked parent, a linked .git and a .git that names it', async () => {
    const agents = placed(join(home, 'sandboxes/run/work'));
    const link = elsewhere();
    symlinkSync(agents, link);
    const parent = elsewhere();
    symlinkSync(join(home, 'sandboxes'), parent);
    const linked = temporaryFolder();
    symlinkSync(join(agents, '.git'), join(linked, '.git'));
    const named = temporaryFolder();
    writeFileSync(join(named, '.git'), `gitdir: ${join(agents, '.git')}\n`);
    for (const path of [link, join(parent, 'run/work'), linked, named]) await expect(open(path)).rejects.toMatchObject(refusal);
  });

  it('is not mistaken for one beside it', async () => {
    await expect(open(placed(`${home}-beside`))).resolves.toMatchObject({ base: expect.any(String) as string });
    execFileSync('rm', ['-r', `${home}-beside`]);
  });
});

describe('a worktree', () => {
  it('is read like its repository', async () => {
    const source = makeRepository({ a: 'a' });
    const tree = elsewhere();
    git(source, 'worktree', 'add', '--quiet', '-b', 'other', tree);
    expect((await open(tree)).base).toBe(git(source, 'rev-parse', 'HEAD'));
  });
});

describe.skipIf(process.geteuid?.() !== 0)("another user's repository", () => {
  const uid = 54_321;
  const own = (path: string) => execFileSync('chown', ['-R', `${uid}:${uid}`, path]);

  /** In a folder that only this user can enter. */
  function theirs(): { place: string; repository: string } {
    const place = temporaryFolder();
    const repository = placed(join(place, 'private/repository'));
    own(place);
    chmodSync(join(place, 'private'), 0o700);
    return { place, repository };
  }

  it('is read by a worker that is root, as that user', async () => {
    const { repository } = theirs();
    const head = git(repository, 'rev-parse', 'HEAD');
    expect(await open(repository)).toMatchObject({ base: head });
    expect(await open(`file://${repository}/.git`)).toMatchObject({ base: head });
  });

  it('cannot lead root to what that user may not read', async () => {
    const { repository } = theirs();
    const secret = makeRepository({ secret: 'secret' });
    const commit = git(secret, 'rev-parse', 'HEAD');
    chmodSync(secret, 0o700);
    writeFileSync(join(repository, '.git/objects/info/alternates'), `${secret}/.git/objects\n`);
    writeFileSync(join(repository, '.git/refs/heads/main'), `${commit}\n`);
    own(repository);
    await expect(open(repository)).rejects.toMatchObject({ facts: { class: 'repository' } });
  });

  it('is trusted alone where it must be trusted', async () => {
    const [trusted, other] = [join(theirs().repository, '.git'), join(theirs().repository, '.git')];
    const hostGit = await createHostGit(home, systemClock);
    const list = (path: string) => hostGit(['ls-remote', '--upload-pack=git-upload-pack --strict', '--', path], { trusted });
    expect(await list(trusted)).toContain('refs/heads/main');
    await expect(list(other)).rejects.toThrow(/dubious ownership|not appear|Could not read/);
    expect(readdirSync(home).filter(name => /gitconfig/.test(name) && /\*/.test(readFileSync(join(home, name), 'utf8')))).toEqual(
      [],
    );
  });
});
