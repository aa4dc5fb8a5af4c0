type Fields = Readonly<Record<string, unknown>>;

/** The fields of a package.json; undefined where the text is no JSON object. */
export function readPackageJson(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ''));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The scripts by name, those that are text. */
export function scriptsOf(fields: Fields): Map<string, string> {
  const scripts = fields['scripts'];
  if (!isObject(scripts)) return new Map();
  return new Map(Object.entries(scripts).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Which of the fields that decide what a test run is, and how files are loaded in it, are not the same in both. */
export function changedSteering(base: Fields, head: Fields): string[] {
  return steeringFields.filter(name => !isSame(base[name], head[name]));
}

const steeringFields: readonly string[] = [
  ...['scripts', 'type', 'imports', 'workspaces', 'packageManager', 'config'],
  ...['jest', 'mocha', 'ava', 'nyc', 'c8', 'tap', 'vitest', 'babel'],
];

/** The order of keys means nothing. What is nested deeper than anyone writes counts as another value. */
function isSame(a: unknown, b: unknown, levels = 40): boolean {
  if (levels === 0) return false;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => isSame(item, b[i], levels - 1));
  if (!isObject(a) || !isObject(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && isSame(a[key], b[key], levels - 1));
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
