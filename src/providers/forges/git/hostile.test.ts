import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { git, makeRepository, script, temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import type { Upstream } from '../../../support/repositories/upstream.ts';
import { createGitUpstream } from './index.ts';

const signal = new AbortController().signal;
const branch = 'skep/todo-app';
const isRoot = process.geteuid?.() === 0;
const theirs = 54_321;

/** Every program that a repository can name writes its own name here. */
let marks: string;
let programs: string;
let source: string;
let gitDir: string;
let upstream: Upstream;
beforeEach(async () => {
  marks = temporaryFolder();
  programs = temporaryFolder();
  chmodSync(marks, 0o777);
  chmodSync(programs, 0o755);
  source = makeRepository({ a: 'a' });
  gitDir = temporaryFolder();
  git(gitDir, 'init', '--quiet', '--bare');
  const home = temporaryFolder();
  upstream = await createGitUpstream({ folder: home, home, clock: systemClock });
});

const ran = () => readdirSync(marks);

function canary(name: string, at = join(programs, name)): string {
  writeFileSync(at, script(`touch '${marks}/${name}'`));
  chmodSync(at, 0o755);
  return at;
}

const hooks = [
  ...['pre-receive', 'update', 'post-receive', 'post-update', 'reference-transaction', 'push-to-checkout', 'proc-receive'],
  ...[
    'pre-push',
    'post-checkout',
    'post-index-change',
    'fsmonitor-watchman',
    'pre-auto-gc',
    'sendemail-validate',
    'post-rewrite',
  ],
];

/** Keys whose value git runs, in one command or another. */
const executable = [
  ...[
    'core.fsmonitor',
    'core.sshCommand',
    'core.gitProxy',
    'core.editor',
    'core.pager',
    'core.askPass',
    'core.alternateRefsCommand',
  ],
  ...[
    'uploadpack.packObjectsHook',
    'gc.recentObjectsHook',
    'diff.external',
    'gpg.program',
    'credential.helper',
    'sequence.editor',
  ],
  ...[
    'remote.origin.uploadpack',
    'remote.origin.receivepack',
    'filter.x.clean',
    'filter.x.smudge',
    'filter.x.process',
    'merge.x.driver',
  ],
  ...['pager.config', 'pager.receive-pack', 'pager.upload-pack', 'alias.receive-pack', 'alias.upload-pack', 'log.showSignature'],
];

function makeHostile(): void {
  const elsewhere = join(programs, 'hooks');
  mkdirSync(elsewhere);
  for (const hook of hooks)
    for (const at of [join(source, '.git/hooks'), elsewhere]) {
      mkdirSync(at, { recursive: true });
      canary(`hook-${hook}`, join(at, hook));
    }
  for (const key of executable) git(source, 'config', key, canary(key));
  git(source, 'config', 'core.hooksPath', elsewhere);
  for (const [key, value] of [
    ...[
      ['receive.denyCurrentBranch', 'updateInstead'],
      ['receive.certNonceSeed', 'x'],
      ['receive.autogc', 'true'],
      ['gc.auto', '1'],
    ],
    ...[
      ['gc.autoPackLimit', '1'],
      ['gc.autoDetach', 'false'],
      ['maintenance.auto', 'true'],
      ['protocol.allow', 'always'],
    ],
    ...[
      ['protocol.ext.allow', 'always'],
      ['receive.updateServerInfo', 'true'],
      ['include.path', join(programs, 'included')],
    ],
  ] as [string, string][])
    git(source, 'config', key, value);
  writeFileSync(join(programs, 'included'), `[core]\n\thooksPath = ${elsewhere}\n\tfsmonitor = ${canary('included')}\n`);
  writeFileSync(join(source, '.gitattributes'), '* filter=x diff=x merge=x\n');
  const alternate = makeRepository({ b: 'b' });
  writeFileSync(join(source, '.git/objects/info/alternates'), `${alternate}/.git/objects\n`);
}

/** A commit that follows on HEAD of the source, in the bare repository. */
async function prepared(): Promise<string> {
  const base = await upstream.fetch(source, { gitDir, lock: join(gitDir, 'lock'), ref: 'refs/skep/base', signal });
  const tree = git(gitDir, 'rev-parse', `${base}^{tree}`);
  return git(gitDir, 'commit-tree', '-p', base, '-m', 'work', tree);
}

const publish = (commit: string, at = branch) =>
  upstream.publish(source, { gitDir, commit, branch: at, expected: undefined, signal });
const own = () => execFileSync('chown', ['-R', `${theirs}:${theirs}`, source]);

describe.each(isRoot ? ['Skep', 'another user'] : ['Skep'])('a hostile repository of %s', owner => {
  it('runs nothing when it is looked at, fetched and pushed to', async () => {
    makeHostile();
    if (owner !== 'Skep') own();
    expect((await upstream.look(source, { branch, signal })).commit).toBe(git(source, 'rev-parse', 'main'));
    const commit = await prepared();
    await publish(commit);
    expect([ran(), git(source, 'rev-parse', branch)]).toEqual([[], commit]);
  });

  it('runs nothing when its current branch is pushed to, which it refuses', async () => {
    makeHostile();
    const commit = await prepared();
    git(source, 'symbolic-ref', 'HEAD', `refs/heads/${branch}`);
    if (owner !== 'Skep') own();
    await expect(publish(commit)).rejects.toMatchObject({
      code: 'push_refused',
      hint: expect.stringContaining('Check out') as string,
    });
    expect(ran()).toEqual([]);
  });

  it('runs nothing when it wants pushes to be handled by its own program, which is refused', async () => {
    makeHostile();
    git(source, 'config', '--add', 'receive.procReceiveRefs', 'refs/heads');
    if (owner !== 'Skep') own();
    const commit = await prepared();
    await expect(publish(commit)).rejects.toMatchObject({
      code: 'push_refused',
      hint: expect.stringContaining('procReceive') as string,
    });
    expect(ran()).toEqual([]);
  });

  it('runs nothing when its settings define hooks by name, as newer git does, which is refused', async () => {
    const commit = await prepared();
    git(source, 'config', 'hook.x.event', 'pre-receive');
    git(source, 'config', 'hook.x.command', canary('hook'));
    git(source, 'config', 'pager.config', canary('pager'));
    if (owner !== 'Skep') own();
    await expect(publish(commit)).rejects.toMatchObject({
      code: 'push_refused',
      message: expect.stringContaining('hook.*') as string,
    });
    expect([ran(), git(source, 'branch', '--list', branch)]).toEqual([[], '']);
  });

  const promised: readonly (readonly [string, () => readonly (readonly [string, string])[]])[] = [
    ['a command', () => [['remote.origin.url', `ext::${canary('ext')}`]]],
    [
      'ssh',
      () => [
        ['remote.origin.url', 'ssh://localhost/x'],
        ['core.sshCommand', canary('ssh')],
      ],
    ],
    [
      'a proxy of git://',
      () => [
        ['remote.origin.url', 'git://localhost/x'],
        ['core.gitProxy', canary('proxy')],
      ],
    ],
    [
      'a folder whose git is its own',
      () => [
        ['remote.origin.url', makeRepository({})],
        ['remote.origin.uploadpack', canary('pack')],
      ],
    ],
    [
      'a helper of its own',
      () => [
        ['remote.origin.vcs', 'ext'],
        ['remote.origin.url', canary('vcs')],
      ],
    ],
  ];

  it.each(promised)('runs nothing when it lacks objects and promises them from %s', async (_, settings) => {
    const blob = git(source, 'rev-parse', 'HEAD:a');
    rmSync(join(source, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    for (const [key, value] of [
      ...[
        ['core.repositoryFormatVersion', '1'],
        ['extensions.partialClone', 'origin'],
        ['remote.origin.promisor', 'true'],
      ],
      ...[
        ['protocol.allow', 'always'],
        ['protocol.ext.allow', 'always'],
        ['protocol.file.allow', 'always'],
      ],
      ...settings(),
    ] as [string, string][])
      git(source, 'config', key, value);
    // That the settings do run it: git without our care.
    expect(() => git(source, 'cat-file', '-p', blob)).toThrow('Command failed');
    expect(ran()).toHaveLength(1);
    for (const name of ran()) rmSync(join(marks, name));
    if (owner !== 'Skep') own();
    await upstream.look(source, { branch, signal });
    await expect(prepared()).rejects.toMatchObject({
      code: 'repository_unavailable',
      hint: expect.stringContaining('--refetch') as string,
    });
    const empty = git(gitDir, 'commit-tree', '-m', 'x', git(gitDir, 'mktree'));
    await publish(empty);
    expect([ran(), git(source, 'rev-parse', branch)]).toEqual([[], empty]);
  });
});

describe('the canaries', () => {
  it('sing for a plain git, so that their silence means something', () => {
    makeHostile();
    git(source, 'push', '--quiet', source, 'HEAD:refs/heads/x');
    expect(ran()).toEqual(
      expect.arrayContaining(['hook-pre-receive', 'hook-update', 'hook-post-update', 'hook-reference-transaction']),
    );
    expect(ran()).toContain('core.alternateRefsCommand');
  });
});

describe.skipIf(!isRoot)("another user's repository", () => {
  it('cannot lead root to what that user may not read', async () => {
    const secret = makeRepository({ secret: 'secret' });
    chmodSync(secret, 0o700);
    writeFileSync(join(source, '.git/objects/info/alternates'), `${secret}/.git/objects\n`);
    writeFileSync(join(source, '.git/refs/heads/main'), `${git(secret, 'rev-parse', 'HEAD')}\n`);
    own();
    await expect(prepared()).rejects.toMatchObject({ code: 'repository_unavailable' });
    expect(git(gitDir, 'count-objects')).toMatch(/^0 objects/);
  });

  it('keeps its owner: what is pushed belongs to that user, who is told no secret of the server', async () => {
    const commit = await prepared();
    own();
    await publish(commit);
    const foreign = execFileSync('find', [source, '!', '-uid', String(theirs)], { encoding: 'utf8' });
    expect(foreign).toBe('');
  });
});
