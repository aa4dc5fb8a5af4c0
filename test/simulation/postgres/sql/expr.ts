import type { Value } from '../storage/types.ts';
import { castBetween } from '../values/cast.ts';
import { parseText } from '../values/text.ts';
import type { Type } from '../values/types.ts';
import type { Run } from './run.ts';

export type Eval = (x: Run) => Value;

export interface ColumnInfo {
  readonly name: string;
  readonly type: Type;
}

/** A compiled expression. */
export interface Expr {
  readonly type: Type;
  readonly eval: Eval;
  /** Of type unknown: a literal or a parameter that takes the type of what it meets. */
  readonly raw?: { readonly literal: string | null } | { readonly settle: (type: Type) => Expr };
  /** Always the same. */
  readonly constant?: { readonly value: Value };
  readonly column?: { readonly slot: number; readonly position: number };
  /** An equation, for whoever can look up instead of compare; with the relations that each side hangs on. */
  readonly equality?: { readonly left: Side; readonly right: Side };
  /** Of a row: what it is made of. */
  readonly fields?: readonly ColumnInfo[];
}

interface Side {
  readonly expr: Expr;
  readonly uses: ReadonlySet<number>;
}

export function constant(type: Type, value: Value): Expr {
  return { type, eval: () => value, constant: { value } };
}

export function literal(text: string | null): Expr {
  return { type: 'unknown', eval: () => text, raw: { literal: text }, constant: { value: text } };
}

/** Of another type; the same where it has it. */
export function coerced(expr: Expr, type: Type): Expr {
  if (expr.type === type) return expr;
  const { raw, constant: fixed } = expr;
  if (raw !== undefined) {
    if ('settle' in raw) return raw.settle(type);
    return constant(type, raw.literal === null ? null : parseText(type, raw.literal));
  }
  const cast = castBetween(expr.type, type);
  if (cast === undefined) return { ...expr, type };
  if (fixed !== undefined) return constant(type, fixed.value === null ? null : cast(fixed.value));
  const inner = expr.eval;
  return {
    type,
    eval: x => {
      const value = inner(x);
      return value === null ? null : cast(value);
    },
  };
}

/** Text, where nothing has said what it is. */
export const settled = (expr: Expr): Expr => (expr.type === 'unknown' ? coerced(expr, 'text') : expr);
