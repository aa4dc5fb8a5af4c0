/** Looking into JSON of others, where nothing is as promised. */
export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A count: whole, not negative, and small enough that sums stay exact. */
export function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= countMax ? value : undefined;
}

/** A limit of a request; of 0 servers make what they like, so it says nothing. */
export function limitOf(value: unknown): number | null {
  const count = countOf(value) ?? 0;
  return count === 0 ? null : count;
}

const countMax = 1_000_000_000;

/** Whether a field says anything: what is null is as good as absent. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A text from outside, short enough to be shown, without control characters. */
export function shortened(text: string, lengthMax = 500): string {
  const clean = text.replaceAll(/\p{Cc}+/gu, ' ').trim();
  return clean.length <= lengthMax ? clean : `${clean.slice(0, lengthMax)}…`;
}
