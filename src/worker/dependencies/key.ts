import { createHash } from 'node:crypto';
import type { CommitFiles, TreeFile } from '../repository/tree.ts';

/** Beside the files of the commit, all that decides what a setup command leaves. */
export interface Circumstances {
  /** Two projects share nothing: one could put something there for the other. */
  readonly projectId: string;
  readonly setup: readonly string[];
  /** What it may reach. */
  readonly network: readonly unknown[];
  /** A snapshot begins sandboxes of its own size alone. */
  readonly workspaceBytes: number;
}

/** Names what a setup command would leave on a commit: the same for two commits whose dependencies are the same. */
export function dependencyKey(given: Circumstances, commit: { readonly id: string } & CommitFiles): string {
  const { platform, arch, version } = process;
  const said = wordsOf(given.setup);
  const files = commit.files.filter(file => isManifest(file) || said.has(file.path));
  // What could not be listed whole has a key of its own.
  const whole = commit.isCut ? commit.id : '';
  return hashOf([platform, arch, version, given, whole, files.map(({ path, content }) => [path, content])]);
}

/** The same for what these alone may share. */
export function narrowed(key: string, sharers: string): string {
  return hashOf([key, sharers]);
}

function hashOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** What package managers and those of versions read, at any depth of the repository. */
const manifests: ReadonlySet<string> = new Set([
  ...[
    'package.json',
    'package-lock.json',
    'npm-shrinkwrap.json',
    'yarn.lock',
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'bun.lock',
  ],
  ...['.npmrc', '.yarnrc', '.yarnrc.yml', 'bun.lockb', 'bunfig.toml', 'deno.json', 'deno.lock'],
  ...['pyproject.toml', 'poetry.lock', 'uv.lock', 'Pipfile', 'Pipfile.lock', 'setup.py', 'setup.cfg', 'environment.yml'],
  ...['Cargo.toml', 'Cargo.lock', 'rust-toolchain', 'rust-toolchain.toml', 'go.mod', 'go.sum', 'go.work', 'go.work.sum'],
  ...['Gemfile', 'Gemfile.lock', 'composer.json', 'composer.lock', 'mix.exs', 'mix.lock'],
  ...['pom.xml', 'build.gradle', 'build.gradle.kts', 'settings.gradle', 'settings.gradle.kts', 'gradle.lockfile'],
  ...['.nvmrc', '.node-version', '.python-version', '.ruby-version', '.tool-versions', '.gitmodules'],
]);

function isManifest({ path }: TreeFile): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return manifests.has(name) || /^(requirements|constraints)[^/]*[.](txt|in)$/.test(name);
}

/** Words of the command that may name a file, such as the script in `sh scripts/setup.sh`. */
function wordsOf(setup: readonly string[]): ReadonlySet<string> {
  const words = setup.flatMap(part => part.split(/[\s'"`;&|()<>=]+/));
  return new Set(words.map(word => word.replace(/^(\.\/)+/, '')).filter(word => word !== ''));
}
