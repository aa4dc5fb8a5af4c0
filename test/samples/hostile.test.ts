import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../harness/worker.ts';
import { commitAll, git } from './git.ts';
import { hostileRepository } from './hostile.ts';
import type { HostileVariant } from './hostile.ts';
import { snapshotTree } from './snapshot.ts';

/** A hostile repository of its own for each look, and which traps running git in it sprang. */
function fallen(variants: readonly HostileVariant[], ...commands: string[]): string[] {
  const canaries = temporaryFolder();
  const { folder, canaries: fired } = hostileRepository({ canaries, variants });
  const there = { repository: folder, other: join(temporaryFolder(), 'other') };
  const env = {
    ...{ PATH: process.env['PATH'], HOME: temporaryFolder(), GIT_TERMINAL_PROMPT: '0', ...there },
    ...{ GIT_AUTHOR_NAME: 'Ann', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'Ann', GIT_COMMITTER_EMAIL: 'a@b' },
  };
  spawnSync('sh', ['-c', commands.join('\n')], { cwd: folder, env, timeout: 20_000 });
  return fired();
}

const quick = '--quiet --no-gpg-sign';

describe('a hostile repository', () => {
  it('lets nothing run while it is made', () => {
    const canaries = temporaryFolder();
    const variants = ['promisor', 'fifo_in_git', 'broken_refs', 'bad_bytes', 'skep_branch', 'submodule_command'] as const;
    hostileRepository({ canaries, variants, branch: '-x' });
    expect(readdirSync(canaries)).toEqual([]);
  });

  it.each<[string, readonly string[], readonly string[]]>([
    [
      'who looks at it',
      [
        'touch -d 2001-01-01 secret.evil; git status',
        'echo more >>README.md; git diff README.md',
        'echo more >>secret.evil; git diff secret.evil; git diff --no-ext-diff secret.evil',
        'git difftool --no-prompt --tool=evil HEAD~1 -- README.md',
      ],
      ['core.fsmonitor', 'submodule.fsmonitor', 'filter.clean', 'diff.external', 'diff.command', 'diff.textconv', 'difftool'],
    ],
    [
      'who commits in it',
      [
        `echo more >>README.md; git add README.md; git commit ${quick} --message=more`,
        'git commit --quiet --allow-empty --message=signed; git commit --allow-empty --no-gpg-sign',
      ],
      ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit', 'reference-transaction', 'post-index-change']
        .map(hook => `hooks_path.${hook}`)
        .concat('gpg.program', 'core.editor'),
    ],
    [
      'who checks something out',
      [
        'rm secret.evil; git checkout -- secret.evil; git checkout --quiet --detach',
        'git -c core.hooksPath=.git/hooks checkout --quiet --detach; git submodule update --force',
      ],
      ['filter.smudge', 'hooks_path.post-checkout', 'hook.post-checkout', 'submodule.update'],
    ],
    [
      'who merges in it',
      [
        `git checkout --quiet -b a HEAD~0; echo a >>secret.evil; git commit --all --message=a ${quick}`,
        `git checkout --quiet -b b HEAD~1; echo b >>secret.evil; git commit --all --message=b ${quick}`,
        `git merge --no-edit ${quick} a; git gc --auto`,
      ],
      ['merge.driver', 'hooks_path.pre-merge-commit', 'hooks_path.post-merge', 'hooks_path.pre-auto-gc'],
    ],
    [
      'who asks others from it',
      [
        'git ls-remote ssh://example.org/a; git ls-remote git://example.org/a; git ls-remote https://example.org/a',
        'printf "protocol=https\\nhost=a\\n\\n" | git credential fill',
        'git fetch origin; git push origin HEAD:refs/heads/new; git evil; git included',
      ],
      [
        ...['core.sshCommand', 'core.gitProxy', 'core.askPass', 'core.alternateRefsCommand', 'credential.helper'],
        ...['remote.uploadpack', 'remote.receivepack', 'url.insteadOf', 'hooks_path.pre-push', 'alias', 'include.path'],
      ],
    ],
    ['who pushes a path from it', ['git push "$repository" HEAD:refs/heads/new'], ['url.insteadOf']],
    [
      'who pushes to it',
      [
        'git clone --quiet --no-local "file://$repository" "$other"; cd "$other"',
        `git commit ${quick} --allow-empty --message=more`,
        'git push "$repository" HEAD:refs/heads/skep/a; git push "$repository" HEAD:refs/heads/main HEAD:refs/for/main',
        'git push "$repository" HEAD:refs/heads/main',
      ],
      ['pre-receive', 'update', 'post-receive', 'post-update', 'reference-transaction', 'push-to-checkout', 'proc-receive']
        .map(hook => `hooks_path.${hook}`)
        .concat('core.alternateRefsCommand'),
    ],
  ])('runs the commands of its owner for %s', (_, commands, canaries) => {
    expect(fallen([], ...commands)).toEqual(expect.arrayContaining([...canaries]));
  });

  // A git of before May 2024 runs it for a fetch from it, too.
  it('the promisor, when somebody reads what is missing', () => {
    expect(fallen(['promisor'], 'git show HEAD:promised.txt')).toContain('promisor');
  });

  it('can be fetched by who is careful, with nothing run', () => {
    const canaries = temporaryFolder();
    const { folder, commit: head } = hostileRepository({ canaries, branch: '-x' });
    const depot = temporaryFolder();
    git(depot, 'init', '--quiet', '--bare');
    git(depot, 'fetch', '--quiet', folder, 'HEAD:refs/heads/taken');
    expect(git(depot, 'rev-parse', 'refs/heads/taken')).toBe(head);
    expect(readdirSync(canaries)).toEqual([]);
    git(depot, 'fsck', '--connectivity-only');
  });

  it('is a folder that can be removed whatever its names are', () => {
    const { folder } = hostileRepository({ canaries: temporaryFolder(), variants: ['bad_bytes', 'fifo_in_git'] });
    rmSync(folder, { recursive: true });
    expect(() => readdirSync(folder)).toThrow('ENOENT');
  });
});

describe('a snapshot', () => {
  let folder = '';
  beforeAll(() => {
    folder = hostileRepository({ canaries: temporaryFolder(), variants: ['bad_bytes', 'fifo_in_git'] }).folder;
  });

  it('is the same twice', () => {
    expect(snapshotTree(folder)).toEqual(snapshotTree(folder));
  });

  it.each<[string, () => unknown]>([
    ['README.md', () => appendFileSync(join(folder, 'README.md'), 'more')],
    ['README.md', () => utimesSync(join(folder, 'README.md'), 1, 1)],
    ['README.md', () => chmodSync(join(folder, 'README.md'), 0o600)],
    ['.', () => writeFileSync(join(folder, 'new'), '')],
    ['dangling', () => execFileSync('ln', ['-sfn', 'else', join(folder, 'dangling')])],
    ['.git/index', () => git(folder, '-c', 'core.fsmonitor=false', 'update-index', '--assume-unchanged', 'README.md')],
    ['.git/HEAD', () => writeFileSync(join(folder, '.git/HEAD'), 'ref: refs/heads/-x\n')],
    ['.git/config', () => appendFileSync(join(folder, '.git/config'), '\n')],
    ['.git/refs/heads/new', () => writeFileSync(join(folder, '.git/refs/heads/new'), 'x\n')],
    ['.git/packed-refs', () => appendFileSync(join(folder, '.git/packed-refs'), '\n')],
  ])('sees a change of %s', (path, change) => {
    const before = snapshotTree(folder);
    change();
    const changed = snapshotTree(folder).filter(line => !before.includes(line));
    expect(changed.map(line => line.split(' ')[0])).toContain(path);
  });

  it('lets the one new ref come, with its log and new objects', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a'), 'a');
    const head = commitAll(folder);
    const before = snapshotTree(folder, ['refs/heads/skep/a']);
    git(folder, 'commit-tree', '-m', 'new', `${head}^{tree}`);
    mkdirSync(join(folder, '.git/logs/refs/heads/skep'), { recursive: true });
    git(folder, '-c', 'core.logAllRefUpdates=always', 'update-ref', 'refs/heads/skep/a', head);
    expect(readFileSync(join(folder, '.git/refs/heads/skep/a'), 'utf8')).toContain(head);
    expect(snapshotTree(folder, ['refs/heads/skep/a'])).toEqual(before);
    expect(snapshotTree(folder)).not.toEqual(before);
  });
});
