import type { Node } from '@libpg-query/parser';
import type { Value } from '../../storage/types.ts';
import { orderOf } from '../../values/compare.ts';
import { commonType } from '../../values/types.ts';
import { coerced, type Eval, type Expr, settled } from '../expr.ts';
import type { Scope } from '../scope.ts';
import { type Body, must, unsupported } from '../tree.ts';
import { compare } from './operators.ts';

export function boolExpr({ boolop, args = [] }: Body<'BoolExpr'>, scope: Scope): Expr {
  const terms = args.map(arg => coerced(scope.compile(arg), 'bool').eval);
  if (boolop === 'AND_EXPR') return { type: 'bool', eval: untilOne(terms, false) };
  if (boolop === 'OR_EXPR') return { type: 'bool', eval: untilOne(terms, true) };
  const [term] = terms;
  if (boolop !== 'NOT_EXPR' || term === undefined) throw unsupported(String(boolop));
  return {
    type: 'bool',
    eval: x => {
      const value = term(x);
      return value === null ? null : !(value as boolean);
    },
  };
}

/** `decisive` decides; else null, if there is any, makes it unknown. */
function untilOne(terms: readonly Eval[], decisive: boolean): Eval {
  return x => {
    let isUnknown = false;
    for (const term of terms) {
      const value = term(x);
      if (value === decisive) return decisive;
      if (value === null) isUnknown = true;
    }
    return isUnknown ? null : !decisive;
  };
}

export function nullTest({ arg, nulltesttype }: Body<'NullTest'>, scope: Scope): Expr {
  if (arg === undefined) throw unsupported('a test of nothing');
  const { eval: evaluate, type } = settled(scope.compile(arg));
  if (type === 'record') throw unsupported('is null of a row');
  if (nulltesttype === 'IS_NULL') return { type: 'bool', eval: x => evaluate(x) === null };
  return { type: 'bool', eval: x => evaluate(x) !== null };
}

const tests: Readonly<Record<string, (value: Value) => boolean>> = {
  IS_TRUE: value => value === true,
  IS_NOT_TRUE: value => value !== true,
  IS_FALSE: value => value === false,
  IS_NOT_FALSE: value => value !== false,
  IS_UNKNOWN: value => value === null,
  IS_NOT_UNKNOWN: value => value !== null,
};

export function booleanTest({ arg, booltesttype = 'IS_TRUE' }: Body<'BooleanTest'>, scope: Scope): Expr {
  const test = tests[booltesttype];
  if (arg === undefined || test === undefined) throw unsupported(booltesttype);
  const { eval: evaluate } = coerced(scope.compile(arg), 'bool');
  return { type: 'bool', eval: x => test(evaluate(x)) };
}

export function caseExpr({ arg, args = [], defresult }: Body<'CaseExpr'>, scope: Scope): Expr {
  const of = arg && scope.compile(arg);
  const whens = args.map(each => {
    const { expr, result } = must(each, 'CaseWhen');
    if (expr === undefined || result === undefined) throw unsupported('an empty WHEN');
    const found = scope.compile(expr);
    const when = of === undefined ? coerced(found, 'bool') : compare('=', of, found);
    return { when: when.eval, result: scope.compile(result) };
  });
  const otherwise = defresult && scope.compile(defresult);
  const type = commonType([...whens.map(each => each.result.type), ...(otherwise === undefined ? [] : [otherwise.type])]);
  const branches = whens.map(({ when, result }) => ({ when, value: coerced(result, type).eval }));
  const last = otherwise && coerced(otherwise, type).eval;
  return {
    type,
    eval: x => {
      for (const { when, value } of branches) if (when(x) === true) return value(x);
      return last === undefined ? null : last(x);
    },
  };
}

function alike(nodes: readonly Node[], scope: Scope): { readonly type: string; readonly evals: readonly Eval[] } {
  const each = nodes.map(node => scope.compile(node));
  const type = commonType(each.map(expr => expr.type));
  return { type, evals: each.map(expr => coerced(expr, type).eval) };
}

export function coalesce({ args = [] }: Body<'CoalesceExpr'>, scope: Scope): Expr {
  const { type, evals } = alike(args, scope);
  return {
    type,
    eval: x => {
      for (const evaluate of evals) {
        const value = evaluate(x);
        if (value !== null) return value;
      }
      return null;
    },
  };
}

/** Of what is not null. */
export function minMax({ op, args = [] }: Body<'MinMaxExpr'>, scope: Scope): Expr {
  const { type, evals } = alike(args, scope);
  const order = orderOf(type);
  const sign = op === 'IS_GREATEST' ? -1 : 1;
  return {
    type,
    eval: x => {
      let best: Value = null;
      for (const evaluate of evals) {
        const value = evaluate(x);
        if (value !== null && (best === null || sign * order(value, best) < 0)) best = value;
      }
      return best;
    },
  };
}
