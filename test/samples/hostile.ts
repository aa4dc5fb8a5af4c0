import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../harness/worker.ts';
import { commitAll, git } from './git.ts';
import { hooks, hostileConfig, includedConfig, programs, submoduleConfig } from './hostile-config.ts';
import type { Trap } from './hostile-config.ts';
import { brokenRefs, plantNames, trackedFiles, trackedLinks } from './hostile-tree.ts';

/**
 * What is asked for by itself, as even an honest reader cannot get by it:
 * `promisor`: a blob of HEAD is missing and is promised by a remote that is a command; `fifo_in_git`: a ref is a named pipe, which
 * who opens it waits on for ever; `broken_refs`: `packed-refs` holds names that git takes from nobody; `bad_bytes`: a file name that is
 * no UTF-8; `skep_branch`: a branch `skep`, beside which there can be none named `skep/…`; `submodule_command`: a `.gitmodules` that
 * names a command, at which git itself gives up.
 */
export type HostileVariant = 'promisor' | 'fifo_in_git' | 'broken_refs' | 'bad_bytes' | 'skep_branch' | 'submodule_command';

export interface HostileOptions {
  /** A folder that is there and empty: each command of the repository leaves a file in it. */
  readonly canaries: string;
  readonly variants?: readonly HostileVariant[];
  /** The current branch; `main` by itself. Any name that is good for a file. */
  readonly branch?: string;
  readonly folder?: string;
}

export interface Hostile {
  readonly folder: string;
  readonly commit: string;
  /** The names of the commands that were run, sorted. Empty: nobody fell for it. */
  canaries(): string[];
}

/**
 * A repository in which everything that git can be told to run is a trap, and every name is unkind: hooks, configuration, filters,
 * drivers, a submodule, alternates; links, a named pipe, branches and files that look like options and commands.
 */
export function hostileRepository(options: HostileOptions): Hostile {
  const { canaries, variants = [], branch = 'main', folder = temporaryFolder() } = options;
  const trap: Trap = (name, after = '') => `touch '${join(canaries, name)}'${after === '' ? '' : `; ${after}`}`;
  const has = (variant: HostileVariant) => variants.includes(variant);

  trackedFiles(folder, {
    badBytes: has('bad_bytes'),
    update: has('submodule_command') ? `!${trap('gitmodules.update')}` : 'checkout',
  });
  trackedLinks(folder);
  const first = commitAll(folder);
  const commit = addSubmodule(folder, first);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  addAlternates(folder, first);
  fillForCollection(folder);
  // From here on git is not run in it any more.
  plantNames(folder, {
    commit,
    branch,
    more: [...(has('broken_refs') ? brokenRefs : []), ...(has('skep_branch') ? ['refs/heads/skep'] : [])],
  });
  plantHooks(folder, trap);
  appendFileSync(join(folder, '.git/config'), hostileConfig({ trap, folder }));
  appendFileSync(join(folder, '.git/modules/module/config'), submoduleConfig(trap));
  writeFileSync(join(folder, '.git/included'), includedConfig(trap));
  writeFileSync(join(folder, '.git/info/attributes'), '*.evil filter=evil diff=evil merge=evil\n');
  if (has('promisor')) breakPromise(folder, trap);
  if (has('fifo_in_git')) execFileSync('mkfifo', [join(folder, '.git/refs/heads/pipe')]);
  return { folder, commit, canaries: () => readdirSync(canaries).sort() };
}

/** A second commit with a submodule whose own repository is hostile too: `git status` above runs git in it. */
function addSubmodule(folder: string, commit: string): string {
  const [module, modules] = [join(folder, 'module'), join(folder, '.git/modules/module')];
  git(folder, 'update-index', '--add', '--cacheinfo', `160000,${commit},module`);
  git(folder, 'commit', '--quiet', '--message=a submodule');
  const head = git(folder, 'rev-parse', 'HEAD');
  mkdirSync(join(folder, '.git/modules'));
  git(folder, 'clone', '--quiet', '--bare', '--no-hardlinks', folder, modules);
  git(modules, 'update-ref', 'refs/heads/main', commit);
  mkdirSync(module, { recursive: true });
  writeFileSync(join(module, '.git'), 'gitdir: ../.git/modules/module\n');
  return head;
}

/** Objects borrowed from a repository beside its own; git asks a command for the refs of that one. */
function addAlternates(folder: string, commit: string): void {
  const elsewhere = join(folder, '.git/elsewhere');
  git(folder, 'clone', '--quiet', '--bare', '--no-hardlinks', folder, elsewhere);
  git(elsewhere, 'update-ref', 'refs/heads/theirs', commit);
  writeFileSync(join(folder, '.git/objects/info/alternates'), '../elsewhere/objects\n');
}

function writeProgram(path: string, command: string): void {
  writeFileSync(path, `#!/bin/sh\n${command}\n`);
  chmodSync(path, 0o755);
}

/** With `gc.auto = 1` git looks for two loose objects whose id begins with 17, and collects garbage at the next occasion. */
function fillForCollection(folder: string): void {
  const idOf = (text: string) => createHash('sha1').update(`blob ${text.length}\0${text}`).digest('hex');
  const texts = Array.from({ length: 4_000 }, (_, i) => String(i)).filter(text => idOf(text).startsWith('17'));
  for (const text of texts.slice(0, 2)) {
    writeFileSync(join(folder, '.git/blob'), text);
    git(folder, 'hash-object', '-w', '--no-filters', '.git/blob');
  }
}

/** Every hook twice: where git looks by itself, and where `core.hooksPath` sends it. */
function plantHooks(folder: string, trap: Trap): void {
  for (const [place, word] of [
    ['.git/hooks', 'hook'],
    ['.git/other-hooks', 'hooks_path'],
  ] as const) {
    mkdirSync(join(folder, place), { recursive: true });
    for (const hook of hooks) writeProgram(join(folder, place, hook), trap(`${word}.${hook}`));
  }
  for (const name of programs) writeProgram(join(folder, '.git/other-hooks', name), trap(name, 'false'));
}

/** The blob of `promised.txt` is gone; whoever reads it asks a remote, whose address is a command. */
function breakPromise(folder: string, trap: Trap): void {
  const blob = execFileSync('git', ['hash-object', '--stdin'], { input: 'promised\n', encoding: 'utf8' }).trim();
  rmSync(join(folder, '.git/objects', blob.slice(0, 2), blob.slice(2)));
  rmSync(join(folder, '.git/elsewhere'), { recursive: true });
  rmSync(join(folder, '.git/objects/info/alternates'));
  writeProgram(join(folder, '.git/promise'), trap('promisor'));
  appendFileSync(
    join(folder, '.git/config'),
    [
      '[core]',
      '  repositoryformatversion = 1',
      '[extensions]',
      '  partialClone = promisor',
      '[remote "promisor"]',
      `  url = ext::${join(folder, '.git/promise')}`,
      '  promisor = true',
      '  partialclonefilter = blob:none',
      '',
    ].join('\n'),
  );
}
