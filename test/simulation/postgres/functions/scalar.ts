import type { Value } from '../storage/types.ts';
import { coerced, type Expr, settled } from '../sql/expr.ts';
import type { Run } from '../sql/run.ts';
import type { Type } from '../values/types.ts';

/** What a built-in function makes of its arguments. */
export interface Scalar {
  /** Their names, where they may be given by name. */
  readonly names?: readonly string[];
  shape(args: readonly Expr[]): Shaped;
  /** It is called with nulls too; else null comes of any null. */
  readonly takesNull?: boolean;
  readonly isVolatile?: boolean;
}

export interface Shaped {
  readonly args: readonly Expr[];
  readonly type: Type;
  readonly call: Call;
}

export type Call = (args: readonly Value[], x: Run) => Value;

interface Signature {
  readonly takes: readonly Type[];
  readonly gives: Type;
  readonly call: Call;
}

/** A function of these types; of the last arguments some may be left out. */
export function fixed({ takes, gives, call }: Signature, more: Omit<Scalar, 'shape'> = {}): Scalar {
  return {
    ...more,
    shape: args => {
      if (args.length > takes.length) throw new Error(`${args.length} arguments where ${takes.length} are known`);
      return { args: args.map((arg, i) => coerced(arg, takes[i] ?? 'text')), type: gives, call };
    },
  };
}

/** A function whose type hangs on those of its arguments. */
export function shaped(shape: (args: readonly Expr[]) => Shaped, more: Omit<Scalar, 'shape'> = {}): Scalar {
  return { ...more, shape: args => shape(args.map(settled)) };
}

/** Compiles a call. */
export function apply(scalar: Scalar, args: readonly Expr[]): Expr {
  const { args: shapedArgs, type, call } = scalar.shape(args);
  const evals = shapedArgs.map(arg => arg.eval);
  const [first, second] = evals;
  if (scalar.takesNull === true)
    return {
      type,
      eval: x =>
        call(
          evals.map(evaluate => evaluate(x)),
          x,
        ),
    };
  if (first === undefined) return { type, eval: x => call([], x) };
  if (second === undefined) {
    return {
      type,
      eval: x => {
        const value = first(x);
        return value === null ? null : call([value], x);
      },
    };
  }
  return {
    type,
    eval: x => {
      const values: Value[] = [];
      for (const evaluate of evals) {
        const value = evaluate(x);
        if (value === null) return null;
        values.push(value);
      }
      return call(values, x);
    },
  };
}
