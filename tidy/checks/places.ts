import { findLines } from './finding.ts';
import type { Finding, Source } from './finding.ts';

// Single letters stand in brackets, so that this file does not hold what it looks for.
const MACHINE_PATH = /(^|[^\w.$})-])[/](w[o]rk[/][a-z.]|U[s]ers[/]\w|h[o]me[/]\w+[/])/;
const REGISTRY = /https?:[/][/][^\s"']*(a[r]tifactory|n[e]xus|v[e]rdaccio|p[y]pi|c[r]ates)|--r[e]gistry[ =]|_a[u]thToken/i;
const PUBLIC = /"resolved": "https:\/\/registry[.]npmjs[.]org\//;

/** Paths of one machine and hosts of one company: whoever clones the repository has neither. */
export function checkPlaces(sources: readonly Source[]): Finding[] {
  return sources.flatMap(source => [
    ...findLines(source, MACHINE_PATH, 'is a path of one machine: make it relative, or an argument'),
    ...findLines(source, REGISTRY, 'names a package registry: leave that to the setting of npm'),
    ...checkLockfile(source),
  ]);
}

function checkLockfile(source: Source): Finding[] {
  if (!source.path.endsWith('package-lock.json')) return [];
  const resolved = findLines(source, /"resolved": "http/, 'is not from the public registry');
  const lines = source.text.split('\n');
  return resolved.filter(({ line }) => !PUBLIC.test(lines[line - 1] ?? ''));
}
