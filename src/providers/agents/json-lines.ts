interface Options {
  readonly onObject: (value: Readonly<Record<string, unknown>>) => void;
  /** A line that is no JSON: words of the program, or of what it started. */
  readonly onText: (line: string) => void;
  /** Tells by how a line begins that nobody wants it. */
  readonly isUnwanted?: (beginning: string) => boolean;
}

/** Longer lines are left out: no event that matters is. */
const lineBytesMax = 16 * 1_048_576;
const beginningBytes = 100;
const newline = 0x0a;

/** Reads a stream of JSON documents, one a line. The last line needs no end: call it with nothing when the stream is over. */
export function jsonLines({ onObject, onText, isUnwanted = () => false }: Options): (chunk?: Buffer) => void {
  let parts: Buffer[] = [];
  let bytes = 0;

  function end(): void {
    const line = Buffer.concat(parts);
    const isWhole = bytes <= lineBytesMax;
    parts = [];
    bytes = 0;
    if (!isWhole || isUnwanted(line.subarray(0, beginningBytes).toString('utf8'))) return;
    const text = line.toString('utf8').trim();
    if (text === '') return;
    const value = parsed(text);
    if (value === undefined) onText(text);
    else onObject(value);
  }

  function add(part: Buffer): void {
    bytes += part.length;
    if (bytes <= lineBytesMax) parts.push(part);
    else parts = [];
  }

  return chunk => {
    if (chunk === undefined) return end();
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      add(chunk.subarray(from, at));
      end();
      from = at + 1;
    }
    add(chunk.subarray(from));
  };
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field of a document that somebody else wrote, as text; empty where it is none. */
export function textIn(value: unknown, field: string): string {
  const found = isRecord(value) ? value[field] : undefined;
  return typeof found === 'string' ? found : '';
}

export function numberIn(value: unknown, field: string): number {
  const found = isRecord(value) ? value[field] : undefined;
  return typeof found === 'number' && Number.isFinite(found) ? found : 0;
}

export function listIn(value: unknown, field: string): readonly unknown[] {
  const found = isRecord(value) ? value[field] : undefined;
  return Array.isArray(found) ? found : [];
}
