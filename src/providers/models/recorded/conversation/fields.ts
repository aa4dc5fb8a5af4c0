/** A request comes from a sandbox and may be anything: what is not of the expected kind counts as absent. */
export type Fields = Readonly<Record<string, unknown>>;

export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function count(...values: readonly unknown[]): number | null {
  const found = values.find(value => typeof value === 'number' && Number.isFinite(value) && value >= 0);
  return typeof found === 'number' ? found : null;
}

/** Arguments of a call come as JSON text on some wires, and cut off where the answer was. */
export function parsedArgs(value: unknown): Fields {
  try {
    return fields(JSON.parse(text(value)));
  } catch {
    return {};
  }
}

const depthMax = 8;

/** The text in a content: a string, a block, or a list of those, as deep as wires nest them. */
export function textOf(content: unknown, depth = 0): string {
  if (typeof content === 'string') return content;
  if (depth > depthMax) return '';
  if (Array.isArray(content)) {
    return content
      .map(part => textOf(part, depth + 1))
      .filter(part => part !== '')
      .join('\n');
  }
  const { text, content: inner, output } = fields(content);
  if (typeof text === 'string') return text;
  return textOf(inner ?? output ?? '', depth + 1);
}

/** The JSON bytes of a list's end, from the assistant's last turn on; null where the assistant has not spoken. */
export function bytesSince<T>(items: readonly T[], isAssistant: (item: T) => boolean): number | null {
  const last = items.findLastIndex(isAssistant);
  if (last === -1) return null;
  const others = items.slice(0, last).findLastIndex(item => !isAssistant(item));
  return Buffer.byteLength(JSON.stringify(items.slice(others + 1)));
}
