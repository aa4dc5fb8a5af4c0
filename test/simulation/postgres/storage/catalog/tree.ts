/** Reads syntax trees of libpg_query, whose nodes are `{ Kind: { … } }`; what is absent is undefined. */
export type Tree = Readonly<Record<string, unknown>>;

export function child(tree: unknown, ...path: readonly string[]): unknown {
  let at = tree;
  for (const step of path) {
    if (at === null || typeof at !== 'object') return undefined;
    at = (at as Tree)[step];
  }
  return at;
}

export function list(tree: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = child(tree, ...path);
  return Array.isArray(found) ? (found as unknown[]) : [];
}

export function text(tree: unknown, ...path: readonly string[]): string {
  const found = child(tree, ...path);
  return typeof found === 'string' ? found : '';
}

export function number(tree: unknown, ...path: readonly string[]): number {
  const found = child(tree, ...path);
  return typeof found === 'number' ? found : 0;
}

/** Of a list of `{ String: { sval } }`. */
export function names(tree: unknown, ...path: readonly string[]): string[] {
  return list(tree, ...path).map(entry => text(entry, 'String', 'sval'));
}

/** Names of the columns that an expression mentions, without the tables before them. */
export function columnsIn(tree: unknown): Set<string> {
  const found = new Set<string>();
  const walk = (at: unknown): void => {
    if (at === null || typeof at !== 'object') return;
    const fields = list(at, 'ColumnRef', 'fields');
    if (fields.length > 0) found.add(text(fields.at(-1), 'String', 'sval'));
    for (const under of Object.values(at)) walk(under);
  };
  walk(tree);
  return found;
}
