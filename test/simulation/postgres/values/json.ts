/** A jsonb or json value: kept as plain JavaScript, with the keys of objects in the order of jsonb. Never changed in place. */
export class Json {
  readonly value: unknown;

  private constructor(value: unknown) {
    this.value = value;
  }

  /** Of what is plain data already. */
  static of(value: unknown): Json {
    return new Json(ordered(value));
  }

  /** Throws SyntaxError. */
  static parse(text: string): Json {
    return Json.of(JSON.parse(text));
  }

  /** As `::text` writes it. */
  toString(): string {
    return spaced(this.value);
  }
}

/** Data that belongs to whoever is given it. */
export function copied(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copied);
  const out: Record<string, unknown> = {};
  for (const key in value) out[key] = copied((value as Record<string, unknown>)[key]);
  return out;
}

export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  const [one, other] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return keys.length === Object.keys(b).length && keys.every(key => key in other && jsonEqual(one[key], other[key]));
}

/** Shorter keys go first, as in jsonb. */
function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered);
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort(byLength)) out[key] = ordered((value as Record<string, unknown>)[key]);
  return out;
}

const byLength = (a: string, b: string) => Buffer.byteLength(a) - Buffer.byteLength(b) || (a < b ? -1 : 1);

function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, each]) => `${JSON.stringify(key)}: ${spaced(each)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}
