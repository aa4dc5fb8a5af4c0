import type { Value } from '../storage/types.ts';
import { SqlError } from '../types.ts';
import { parseInterval } from './interval.ts';
import { Json } from './json.ts';
import { elementOf, isArray, type Type } from './types.ts';

/** As PostgreSQL reads a literal of this type. */
export function parseText(type: Type, text: string): Value {
  if (isArray(type)) return parseArray(type, text);
  const value = readers[type]?.(text);
  if (value === undefined) throw invalid(type, text);
  return value;
}

/** As `::text` writes it. */
export function writeText(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Date) return writeTime(value);
  if (value instanceof Buffer) return `\\x${value.toString('hex')}`;
  if (Array.isArray(value)) return `{${value.map(writeElement).join()}}`;
  return String(value);
}

const spelt: Readonly<Record<string, string>> = { int4: 'integer', int8: 'bigint', bool: 'boolean', jsonb: 'json' };

function invalid(type: Type, text: string): SqlError {
  const isTime = type === 'timestamptz' || type === 'interval';
  const name = type === 'timestamptz' ? 'timestamp with time zone' : (spelt[type] ?? type);
  return new SqlError(isTime ? '22007' : '22P02', `invalid input syntax for type ${name}: "${text.slice(0, 200)}"`);
}

const readers: Readonly<Record<string, (text: string) => Value>> = {
  text: text => text,
  unknown: text => text,
  uuid: text => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : undefined),
  int2: text => readInteger('int2', text),
  int4: text => readInteger('int4', text),
  int8: text => readInteger('int8', text),
  numeric: readNumber,
  float8: readNumber,
  bool: text =>
    /^\s*(t|true|y|yes|on|1)\s*$/i.test(text) ? true : /^\s*(f|false|n|no|off|0)\s*$/i.test(text) ? false : undefined,
  jsonb: readJson,
  json: readJson,
  timestamptz: readTime,
  interval: parseInterval,
  bytea: text => (text.startsWith('\\x') ? Buffer.from(text.slice(2), 'hex') : Buffer.from(text, 'latin1')),
  void: () => '',
};

/** Largest numbers of the integer types; of int8, the largest that a JavaScript number holds exactly. */
const largest: Readonly<Record<string, number>> = { int2: 32_767, int4: 2_147_483_647, int8: Number.MAX_SAFE_INTEGER };

/** Throws SqlError 22003. */
export function inRange(type: Type, value: number): number {
  const max = largest[type];
  if (max !== undefined && (value > max || value < -max - 1)) {
    throw new SqlError('22003', `${spelt[type] ?? type} out of range`);
  }
  return value;
}

function readInteger(type: Type, text: string): number | undefined {
  return /^\s*[-+]?\d+\s*$/.test(text) ? inRange(type, Number(text)) : undefined;
}

function readNumber(text: string): number | undefined {
  return /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(text) ? Number(text) : undefined;
}

function readJson(text: string): Json | undefined {
  try {
    return Json.parse(text);
  } catch {
    return undefined;
  }
}

/** Where JavaScript's time ends. */
const infinityMs = 8.64e15;

function readTime(text: string): Date | undefined {
  if (text === 'infinity') return new Date(infinityMs);
  if (text === '-infinity') return new Date(-infinityMs);
  const [day = '', time] = text.trim().split(/[ T]/);
  const zoned = time?.replace(/([+-]\d\d)$/, '$1:00');
  const date = new Date(zoned === undefined ? day : `${day}T${/(Z|[+-]\d\d:?\d\d)$/i.test(zoned) ? zoned : `${zoned}Z`}`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function writeTime(date: Date): string {
  if (Math.abs(date.getTime()) === infinityMs) return date.getTime() > 0 ? 'infinity' : '-infinity';
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.?0*Z$/, '+00');
}

function writeElement(value: Value): string {
  if (value === null) return 'NULL';
  const text = writeText(value);
  if (Array.isArray(value)) return text;
  return text === '' || /[{}",\\\s]/.test(text) || /^null$/i.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : text;
}

function parseArray(type: Type, text: string): Value {
  const inner = /^\s*\{([\s\S]*)\}\s*$/.exec(text)?.[1];
  if (inner === undefined) throw new SqlError('22P02', `malformed array literal: "${text.slice(0, 200)}"`);
  if (inner.trim() === '') return [];
  const element = elementOf(type);
  return [...inner.matchAll(/\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*?))\s*(?:,|$)/g)]
    .filter((match, i, all) => i < all.length - 1 || match[0] !== '' || inner.endsWith(','))
    .map(([, quoted, plain]) => {
      if (quoted !== undefined) return parseText(element, quoted.replaceAll(/\\(.)/g, '$1'));
      return /^null$/i.test(plain ?? '') ? null : parseText(element, plain ?? '');
    });
}
