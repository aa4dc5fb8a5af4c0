/**
 * The one mapper between wire and code: keys are snake_case outside and camelCase inside, times are ISO strings outside and
 * Dates inside. Only the first level is mapped: what lies below is either mapped by its own call or stored as it came.
 */
type Snake<S extends string> = S extends `${infer C}${infer Rest}`
  ? `${C extends Uppercase<C> ? (C extends Lowercase<C> ? C : `_${Lowercase<C>}`) : C}${Snake<Rest>}`
  : S;

type Camel<S extends string> = S extends `${infer Head}_${infer Rest}` ? `${Head}${Capitalize<Camel<Rest>>}` : S;

type WireValue<V> = V extends Date ? string : V;

export type Wire<T> = { [K in keyof T as K extends string ? Snake<K> : never]: WireValue<T[K]> };
export type Inner<T> = { [K in keyof T as K extends string ? Camel<K> : never]: T[K] };

export function toWire<T extends object>(value: T): Wire<T> {
  const out: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) out[snake(key)] = field instanceof Date ? field.toISOString() : field;
  return out as Wire<T>;
}

export function fromWire<T extends object>(value: T): Inner<T> {
  const out: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) out[camel(key)] = field;
  return out as Inner<T>;
}

function snake(key: string): string {
  return key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}

export function camel(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
