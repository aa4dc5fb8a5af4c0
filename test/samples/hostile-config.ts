import { join } from 'node:path';

/** A shell command that leaves the canary `name` and then does `after`. */
export type Trap = (name: string, after?: string) => string;

/** All that git 2.39 knows and some that later ones do. */
export const hooks = [
  'applypatch-msg',
  'commit-msg',
  'post-applypatch',
  'post-checkout',
  'post-commit',
  'post-index-change',
  'post-merge',
  'post-receive',
  'post-rewrite',
  'post-update',
  'pre-applypatch',
  'pre-auto-gc',
  'pre-commit',
  'pre-merge-commit',
  'pre-push',
  'pre-rebase',
  'pre-receive',
  'prepare-commit-msg',
  'proc-receive',
  'push-to-checkout',
  'reference-transaction',
  'sendemail-validate',
  'update',
] as const;

/** What git runs without a shell. */
export const programs = ['core.askPass', 'core.gitProxy', 'gpg.program'] as const;

type Entry = readonly [section: string, values: Readonly<Record<string, string>>];

/** What is added to `.git/config`. The commands do what git expects of them where that is simple, so that one does not hide the next. */
export function hostileConfig({ trap, folder }: { readonly trap: Trap; readonly folder: string }): string {
  const ext = (name: string) => `ext::sh -c ${trap(name).replaceAll(' ', '% ').replaceAll("'", '')} `;
  const program = (name: (typeof programs)[number]) => join(folder, '.git/other-hooks', name);
  const entries: readonly Entry[] = [
    [
      'core',
      {
        hooksPath: join(folder, '.git/other-hooks'),
        fsmonitor: trap('core.fsmonitor', 'false'),
        pager: trap('core.pager', 'cat'),
        editor: trap('core.editor', 'false'),
        askPass: program('core.askPass'),
        sshCommand: trap('core.sshCommand', 'false'),
        gitProxy: program('core.gitProxy'),
        alternateRefsCommand: trap('core.alternateRefsCommand', 'true'),
        untrackedCache: 'true',
        symlinks: 'true',
      },
    ],
    ['protocol', { allow: 'always' }],
    ['protocol "ext"', { allow: 'always' }],
    ['filter "evil"', { clean: trap('filter.clean', 'cat'), smudge: trap('filter.smudge', 'cat'), required: 'true' }],
    ['diff', { external: trap('diff.external', 'true') }],
    ['diff "evil"', { textconv: trap('diff.textconv', 'cat'), command: trap('diff.command', 'true') }],
    ['merge "evil"', { driver: trap('merge.driver', 'true'), name: 'evil' }],
    ['merge', { tool: 'evil' }],
    ['mergetool "evil"', { cmd: trap('mergetool') }],
    ['difftool "evil"', { cmd: trap('difftool') }],
    ['sequence', { editor: trap('sequence.editor', 'false') }],
    ['pager', { status: trap('pager.status', 'cat'), log: trap('pager.log', 'cat') }],
    ['interactive', { diffFilter: trap('interactive.diffFilter', 'cat') }],
    ['trailer "evil"', { command: trap('trailer.command'), ifExists: 'add', ifMissing: 'add' }],
    ['credential', { helper: `!${trap('credential.helper')}` }],
    ['commit', { gpgSign: 'true' }],
    ['gpg', { program: program('gpg.program') }],
    // A gc whenever there is an occasion, and in the foreground.
    ['gc', { auto: '1', autoDetach: 'false', recentObjectsHook: trap('gc.recentObjectsHook') }],
    ['uploadpack', { packObjectsHook: trap('uploadpack.packObjectsHook', 'git pack-objects'), allowFilter: 'true' }],
    ['receive', { denyCurrentBranch: 'updateInstead', autogc: 'true', procReceiveRefs: 'refs/for' }],
    [
      'remote "origin"',
      {
        url: `file://${folder}`,
        fetch: '+refs/heads/*:refs/remotes/origin/*',
        uploadpack: trap('remote.uploadpack', 'git-upload-pack'),
        receivepack: trap('remote.receivepack', 'git-receive-pack'),
      },
    ],
    [`url "${ext('url.insteadOf')}"`, { insteadOf: 'https://', pushInsteadOf: '/' }],
    ['submodule "module"', { url: ext('submodule.url'), update: `!${trap('submodule.update')}`, active: 'true' }],
    ['submodule', { recurse: 'true' }],
    ['alias', { evil: `!${trap('alias')}` }],
    ['include', { path: 'included' }],
  ];
  return format(entries);
}

/** What `include.path` brings in. */
export function includedConfig(trap: Trap): string {
  return format([['alias', { included: `!${trap('include.path')}` }]]);
}

/** Of the repository of the submodule, which becomes one with a work tree. */
export function submoduleConfig(trap: Trap): string {
  return format([['core', { bare: 'false', worktree: '../../../module', fsmonitor: trap('submodule.fsmonitor', 'false') }]]);
}

function format(entries: readonly Entry[]): string {
  const quoted = (value: string) => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const section = ([name, values]: Entry) => {
    const [, head = name, rest] = /^(\S+) "(.*)"$/s.exec(name) ?? [];
    const title = rest === undefined ? head : `${head} ${quoted(rest)}`;
    return [`[${title}]`, ...Object.entries(values).map(([key, value]) => `\t${key} = ${quoted(value)}`), ''].join('\n');
  };
  return entries.map(section).join('');
}
