import type { Node } from '@libpg-query/parser';
import type { Value } from '../../storage/types.ts';
import { commonType, elementOf, isArray, typeOf } from '../../values/types.ts';
import { coerced, constant, type Expr, literal, settled } from '../expr.ts';
import type { Scope } from '../scope.ts';
import { as, type Body, must, strings, unsupported } from '../tree.ts';

const int4Max = 2_147_483_647;

export function constantOf({ isnull, ival, fval, sval, boolval }: Body<'A_Const'>): Expr {
  if (isnull === true) return literal(null);
  if (ival !== undefined) return constant('int4', ival.ival ?? 0);
  if (fval !== undefined) return numberOf(fval.fval ?? '0');
  if (sval !== undefined) return literal(sval.sval ?? '');
  if (boolval !== undefined) return constant('bool', boolval.boolval ?? false);
  throw unsupported('this kind of literal');
}

/** What is too long for an integer is a bigint, unless it has a fraction. */
function numberOf(text: string): Expr {
  const value = Number(text);
  if (!/^\d+$/.test(text)) return constant('numeric', value);
  return constant(value > int4Max ? (value > Number.MAX_SAFE_INTEGER ? 'numeric' : 'int8') : 'int4', value);
}

export function parameterOf({ number = 0 }: Body<'ParamRef'>, scope: Scope): Expr {
  const { compilation } = scope;
  const own = compilation.variables?.parameter(number);
  if (own !== undefined) return own;
  return {
    type: 'unknown',
    eval: () => {
      throw unsupported(`the type of parameter $${number}`);
    },
    raw: { settle: type => compilation.parameter(number, type) },
  };
}

export function columnRef({ fields = [] }: Body<'ColumnRef'>, scope: Scope): Expr {
  if (fields.some(field => as(field, 'A_Star') !== undefined)) throw unsupported('* in an expression');
  return scope.column(strings(fields));
}

export function typeCast({ arg, typeName }: Body<'TypeCast'>, scope: Scope): Expr {
  if (arg === undefined || typeName === undefined) throw unsupported('a cast of nothing');
  const type = typeOf(typeName);
  const array = as(arg, 'A_ArrayExpr');
  if (array !== undefined && isArray(type)) return arrayAs(array.elements ?? [], elementOf(type), scope);
  return coerced(scope.compile(arg), type);
}

export function arrayOf({ elements = [] }: Body<'A_ArrayExpr'>, scope: Scope): Expr {
  const types = elements.map(element => scope.compile(element).type);
  return arrayAs(elements, commonType(types), scope);
}

function arrayAs(elements: readonly Node[], type: string, scope: Scope): Expr {
  const each = elements.map(element => coerced(scope.compile(element), type));
  if (each.every(element => element.constant !== undefined)) {
    return constant(
      `${type}[]`,
      each.map(element => element.constant?.value),
    );
  }
  const evals = each.map(element => element.eval);
  return { type: `${type}[]`, eval: x => evals.map(evaluate => evaluate(x)) };
}

export function rowOf({ args = [] }: Body<'RowExpr'>, scope: Scope): Expr {
  const evals = args.map(arg => settled(scope.compile(arg)).eval);
  return { type: 'record', eval: x => evals.map(evaluate => evaluate(x)) };
}

/** An element or a slice of an array; they are counted from 1. */
export function indirection({ arg, indirection: steps = [] }: Body<'A_Indirection'>, scope: Scope): Expr {
  const [step] = steps;
  if (arg === undefined || steps.length !== 1 || as(step, 'A_Indices') === undefined) throw unsupported('this kind of a.b[c]');
  const of = scope.compile(arg);
  if (!isArray(of.type)) throw unsupported(`an element of ${of.type}`);
  const { is_slice: isSlice, lidx, uidx } = must(step, 'A_Indices');
  const index = (node: Node | undefined) => node && coerced(scope.compile(node), 'int4').eval;
  const [lower, upper] = [index(lidx), index(uidx)];
  if (isSlice === true) {
    return {
      type: of.type,
      eval: x => {
        const array = of.eval(x) as Value[] | null;
        if (array === null) return null;
        const from = lower === undefined ? 1 : lower(x);
        const to = upper === undefined ? array.length : upper(x);
        return from === null || to === null ? null : array.slice(Math.max(0, (from as number) - 1), Math.max(0, to as number));
      },
    };
  }
  if (upper === undefined) throw unsupported('an array element without its number');
  return {
    type: elementOf(of.type),
    eval: x => {
      const array = of.eval(x) as Value[] | null;
      const at = upper(x) as number | null;
      return array === null || at === null ? null : (array[at - 1] ?? null);
    },
  };
}

export function valueFunction({ op }: Body<'SQLValueFunction'>): Expr {
  if (op === 'SVFOP_SESSION_USER' || op === 'SVFOP_CURRENT_USER') return { type: 'text', eval: x => `{${x.world.role}}` };
  if (op === 'SVFOP_CURRENT_TIMESTAMP') return { type: 'timestamptz', eval: x => x.world.begunAt };
  throw unsupported(op ?? 'this value function');
}
