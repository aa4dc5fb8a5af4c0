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

/** Each key with the line on which it is named first. */
function keysOf(text: string): Map<string, number> {
  const keys = new Map<string, number>();
  for (const [i, line] of text.split('\n').entries())
    for (const [key] of line.matchAll(KEY)) if (!keys.has(key)) keys.set(key, i + 1);
  return keys;
}
