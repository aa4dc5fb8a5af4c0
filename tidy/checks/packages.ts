import type { Finding } from './finding.ts';

export const REASONS = 'docs/adr/dependencies.md';
const RUNTIME_COUNT_MAX = 45;

export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
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
  const rows = [...table.matchAll(/^\| `([^`]+)` \|(.*)\|\s*$/gm)].map(([, name = '', reason = '']) => ({
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
