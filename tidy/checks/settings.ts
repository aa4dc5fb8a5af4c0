import type { Finding, Source } from './finding.ts';

const KEY = /\b(SKEP_[A-Z0-9_]+|DATABASE_URL)\b/g;

/** Every setting of src/config.ts is explained in docs/configuration.md, and no other is. */
export function checkSettings(config: Source, guide: Source): Finding[] {
  const read = keysOf(config.text);
  const told = keysOf(guide.text);
  return [
    ...[...read]
      .filter(([key]) => !told.has(key))
      .map(([key, line]) => ({ path: config.path, line, says: `${key} is not in ${guide.path}` })),
    ...[...told]
      .filter(([key]) => !read.has(key))
      .map(([key, line]) => ({ path: guide.path, line, says: `${key} is not in ${config.path}` })),
  ];
}

/** What tests read of the environment: each variable is told in a page, in the first column of a table, and no other is. */
export function checkVariables(tests: readonly Source[], guide: Source, others: Source): Finding[] {
  const settings = keysOf(others.text);
  const read = new Map<string, string>();
  for (const { path, text } of tests)
    for (const [, name = ''] of text.matchAll(/process[.]env\['([A-Z][A-Z0-9_]*)'\]/g))
      if (!settings.has(name) && !ofEverybody.has(name)) read.set(name, path);
  const rows = guide.text.split('\n').map((line, i) => ({ line: i + 1, cell: /^[|] (`[A-Z][^|]*) [|]/.exec(line)?.[1] ?? '' }));
  const told = new Map(
    rows.flatMap(({ line, cell }) => [...cell.matchAll(/`([A-Z0-9_]+)`/g)].map(([, name = '']) => [name, line])),
  );
  return [
    ...[...read]
      .filter(([name]) => !told.has(name))
      .map(([name, path]) => ({ path, line: 0, says: `${name} is not in ${guide.path}` })),
    ...[...told]
      .filter(([name]) => !read.has(name))
      .map(([name, line]) => ({ path: guide.path, line, says: `no test reads ${name}` })),
  ];
}

const ofEverybody: ReadonlySet<string> = new Set(['PATH', 'HOME']);

/** Each key with the line on which it is named first. */
function keysOf(text: string): Map<string, number> {
  const keys = new Map<string, number>();
  for (const [i, line] of text.split('\n').entries())
    for (const [key] of line.matchAll(KEY)) if (!keys.has(key)) keys.set(key, i + 1);
  return keys;
}
