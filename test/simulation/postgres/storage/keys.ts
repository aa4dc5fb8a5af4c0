import type { Value, Values } from './types.ts';

/** Values as a text that is the same where PostgreSQL finds them equal. No text of PostgreSQL holds a NUL character. */
export function keyOf(values: Values, positions: readonly number[]): string {
  let key = '';
  for (const position of positions) key += `${partOf(values[position])}\0`;
  return key;
}

export function keyOfList(values: Values): string {
  let key = '';
  for (const value of values) key += `${partOf(value)}\0`;
  return key;
}

function partOf(value: Value): string {
  if (typeof value === 'string') return `s${value}`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || value === undefined) return 'null';
  if (value instanceof Date) return String(value.getTime());
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  throw new Error(`A key of the storage cannot hold ${JSON.stringify(value)}`);
}

export function hasNull(values: Values, positions: readonly number[]): boolean {
  for (const position of positions) if (values[position] === null || values[position] === undefined) return true;
  return false;
}

/** Whether any of these columns holds another object: cheap, and never wrong in saying no. */
export function mayDiffer(before: Values, after: Values, positions: readonly number[]): boolean {
  for (const position of positions) if (before[position] !== after[position]) return true;
  return false;
}

export function differ(before: Values, after: Values, positions: readonly number[]): boolean {
  for (const position of positions) {
    if (before[position] !== after[position] && partOf(before[position]) !== partOf(after[position])) return true;
  }
  return false;
}
