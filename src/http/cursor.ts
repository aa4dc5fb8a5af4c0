import { Fault } from '../kernel/fault.ts';

/** Cursors are opaque to clients: the kind is in them, so that one of another list is refused rather than misread. */
export function encodeCursor(kind: string, ...parts: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([kind, ...parts])).toString('base64url');
}

/** The parts of a cursor of this kind. Throws Fault `invalid_cursor`. */
function decodeCursor(kind: string, cursor: string): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(parts) && parts[0] === kind) return parts.slice(1).map(String);
  } catch {
    // Falls through to the refusal below: what is in a cursor is nobody's business to explain.
  }
  throw new Fault('invalid_cursor', { hint: 'Pass a cursor back exactly as an answer of the same list gave it' });
}

/** The number in a cursor that holds one. */
export function decodeNumber(kind: string, cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const value = Number(decodeCursor(kind, cursor)[0]);
  if (!Number.isSafeInteger(value) || value < 0) throw new Fault('invalid_cursor');
  return value;
}

/** The place in a list that is ordered by a time and an id. */
export function decodePlace(kind: string, cursor: string | undefined): { createdAt: string; id: string } | undefined {
  if (cursor === undefined) return undefined;
  const [createdAt = '', id = ''] = decodeCursor(kind, cursor);
  if (!time.test(createdAt) || Number.isNaN(Date.parse(createdAt)) || !uuid.test(id)) throw new Fault('invalid_cursor');
  return { createdAt, id };
}

/** The same, and how far within what is there. */
export function decodePlaceWithin(
  kind: string,
  cursor: string | undefined,
): { createdAt: string; id: string; seq: number } | undefined {
  const place = decodePlace(kind, cursor);
  if (cursor === undefined || place === undefined) return undefined;
  const seq = Number(decodeCursor(kind, cursor)[2]);
  if (!Number.isSafeInteger(seq) || seq < 0) throw new Fault('invalid_cursor');
  return { ...place, seq };
}

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
