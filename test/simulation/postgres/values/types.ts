import type { TypeName } from '@libpg-query/parser';

/** A type by its short name, as pg_type has it: int4, text, timestamptz, jsonb; an array is `text[]`; `unknown` is a literal without one. */
export type Type = string;

const spellings: Readonly<Record<string, Type>> = {
  boolean: 'bool',
  integer: 'int4',
  int: 'int4',
  smallint: 'int2',
  bigint: 'int8',
  decimal: 'numeric',
  'double precision': 'float8',
  real: 'float8',
  float4: 'float8',
  'timestamp with time zone': 'timestamptz',
  'character varying': 'text',
  varchar: 'text',
  name: 'text',
  job_spec: 'record',
};

const known = new Set(
  'bool int2 int4 int8 numeric float8 text uuid timestamptz jsonb json bytea interval void record trigger unknown'.split(' '),
);

/** Of a type as it is spelt in SQL; throws where it is not known here. */
export function typeNamed(spelt: string): Type {
  const name = spelt
    .replaceAll('"', '')
    .replace(/^pg_catalog\./, '')
    .replace(/\(\d+(,\d+)?\)/, '')
    .trim();
  if (name.endsWith('[]')) return `${typeNamed(name.slice(0, -2))}[]`;
  const type = spellings[name] ?? name;
  if (!known.has(type)) throw new Error(`the memory PostgreSQL does not know the type ${spelt}`);
  return type;
}

export function typeOf(node: TypeName): Type {
  const name = (node.names ?? []).map(each => ('String' in each ? (each.String.sval ?? '') : '')).at(-1) ?? '';
  return typeNamed(node.arrayBounds === undefined ? name : `${name}[]`);
}

export const isArray = (type: Type) => type.endsWith('[]');
export const elementOf = (type: Type): Type => type.slice(0, -2);

const ranks: Readonly<Record<string, number>> = { int2: 1, int4: 2, int8: 3, numeric: 4, float8: 5 };
export const isNumber = (type: Type) => ranks[type] !== undefined;
export const isInteger = (type: Type) => (ranks[type] ?? 9) <= 3;

/** To which two number types are brought for a calculation. */
export const widerOf = (a: Type, b: Type): Type => ((ranks[a] ?? 0) >= (ranks[b] ?? 0) ? a : b);

/** The type of a CASE, an array or a UNION of values of these types. */
export function commonType(types: readonly Type[]): Type {
  const real = types.filter(type => type !== 'unknown');
  const [first] = real;
  if (first === undefined) return 'text';
  if (real.every(type => type === first)) return first;
  if (real.every(isNumber)) return real.reduce(widerOf);
  throw new Error(`the memory PostgreSQL knows no common type of ${real.join(', ')}`);
}
