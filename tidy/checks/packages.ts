import type { Finding } from './finding.ts';

export const REASONS = 'docs/adr/dependencies.md';
const RUNTIME_COUNT_MAX = 45;

export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export interface Lockfile {
  readonly packages: Readonly<Record<string, Manifest>>;
}

/** npm picks the newest that fits, and the newest is not always made for our Node: every version is one version. */
export function checkVersions(manifest: Manifest): Finding[] {
  return Object.entries(all(manifest))
    .filter(([, version]) => !/^\d+[.]\d+[.]\d+(-[\w.-]+)?$/.test(version))
    .map(([name, version]) => ({ path: 'package.json', line: 0, says: `${name}: "${version}" is not an exact version` }));
}

/**
 * Each dependency has a row with its reason, and no row is left of one that is gone. `table` is Markdown whose rows begin
 * with the name in backticks; a name ending in * stands for several.
 */
export function checkReasons(manifest: Manifest, table: string): Finding[] {
  const rows = [...table.matchAll(/^\| `([^`]+)` *\|(.*)\|\s*$/gm)].map(([, name = '', reason = '']) => ({
    name,
    reason: reason.trim(),
  }));
  const names = Object.keys(all(manifest));
  const covers = (row: string, name: string) => (row.endsWith('*') ? name.startsWith(row.slice(0, -1)) : name === row);
  const bare = names.filter(name => !rows.some(row => covers(row.name, name)));
  const stale = rows.filter(row => !names.some(name => covers(row.name, name)));
  const mute = rows.filter(row => row.reason === '');
  const twice = rows.filter((row, i) => rows.findIndex(other => other.name === row.name) !== i);
  return [
    ...bare.map(name => says(`${name} has no row: say in one line why it is here`)),
    ...stale.map(({ name }) => says(`${name} is no dependency any more: take the row away`)),
    ...mute.map(({ name }) => says(`${name} has no reason`)),
    ...twice.map(({ name }) => says(`${name} has two rows`)),
  ];
}

/**
 * The lockfile knows what package.json asks for, and every optional part of it: a binding that the machine which wrote the
 * lockfile could not get would be lacking on all other machines, and `npm ci` refuses such a file.
 */
export function checkLockfile(manifest: Manifest, lock: Lockfile): Finding[] {
  const names = new Set(Object.keys(lock.packages).map(path => path.replace(/^.*node_modules\//, '')));
  const [asked, known] = [manifest, lock.packages[''] ?? {}].map(all);
  const drifted = Object.keys({ ...asked, ...known }).filter(name => asked?.[name] !== known?.[name]);
  const partial = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter(name => !names.has(name)),
  );
  const text = (name: string, wrong: string) => ({ path: 'package-lock.json', line: 0, says: `${name} ${wrong}` });
  return [
    ...drifted.map(name => text(name, 'is not as in package.json: run npm install')),
    ...[...new Set(partial)].map(name =>
      text(name, 'is an optional part and is not in it: write the file where the registry has it'),
    ),
  ];
}

/** Each package that a server runs is somebody else's code with our rights. */
export function checkCount({ dependencies = {} }: Manifest): Finding[] {
  const count = Object.keys(dependencies).length;
  const text = `${count} packages at run time, at most ${RUNTIME_COUNT_MAX}`;
  return count > RUNTIME_COUNT_MAX ? [{ path: 'package.json', line: 0, says: text }] : [];
}

function all({ dependencies, optionalDependencies, devDependencies }: Manifest): Record<string, string> {
  return { ...dependencies, ...optionalDependencies, ...devDependencies };
}

function says(text: string): Finding {
  return { path: REASONS, line: 0, says: text };
}
