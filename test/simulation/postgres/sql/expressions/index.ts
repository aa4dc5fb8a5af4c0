import type { Node } from '@libpg-query/parser';
import type { Expr } from '../expr.ts';
import type { Scope } from '../scope.ts';
import { type Body, nameOf, type NodeName, unsupported } from '../tree.ts';
import { call } from './calls.ts';
import { groupingOf } from './grouping.ts';
import { anExpression } from './comparisons.ts';
import { booleanTest, boolExpr, caseExpr, coalesce, minMax, nullTest } from './logic.ts';
import { arrayOf, columnRef, constantOf, indirection, parameterOf, rowOf, typeCast, valueFunction } from './primaries.ts';
import { subLink } from './sublinks.ts';

type Handlers = { readonly [K in NodeName]?: (body: Body<K>, scope: Scope) => Expr };

const handlers: Handlers = {
  A_Const: constantOf,
  ParamRef: parameterOf,
  ColumnRef: columnRef,
  TypeCast: typeCast,
  A_Expr: anExpression,
  BoolExpr: boolExpr,
  NullTest: nullTest,
  BooleanTest: booleanTest,
  CaseExpr: caseExpr,
  CoalesceExpr: coalesce,
  MinMaxExpr: minMax,
  FuncCall: call,
  SubLink: subLink,
  A_ArrayExpr: arrayOf,
  RowExpr: rowOf,
  A_Indirection: indirection,
  SQLValueFunction: valueFunction,
  GroupingFunc: groupingOf,
};

/** Compiles an expression; throws a plain Error that names what it does not know. */
export function compileExpression(node: Node, scope: Scope): Expr {
  const name = nameOf(node) as NodeName;
  const handler = handlers[name] as ((body: unknown, scope: Scope) => Expr) | undefined;
  if (handler === undefined) throw unsupported(`${name} in an expression`);
  return handler((node as Partial<Record<NodeName, unknown>>)[name], scope);
}
