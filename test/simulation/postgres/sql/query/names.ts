import type { Node } from '@libpg-query/parser';
import { nameOfCall } from '../expressions/calls.ts';
import { as, strings } from '../tree.ts';

interface Figured {
  readonly name: string;
  /** It says what is meant, and not only what kind of expression it is. */
  readonly isStrong: boolean;
}

/** How PostgreSQL names a column of which the statement does not say it. */
export const figuredName = (node: Node): string => figure(node)?.name ?? '?column?';

function figure(node: Node | undefined): Figured | undefined {
  const column = as(node, 'ColumnRef');
  if (column !== undefined)
    return strong(strings((column.fields ?? []).filter(field => as(field, 'String') !== undefined)).at(-1));
  const indirection = as(node, 'A_Indirection');
  if (indirection !== undefined) return figure(indirection.arg);
  const call = as(node, 'FuncCall');
  if (call !== undefined) return strong(nameOfCall(call).split('.').at(-1));
  if (as(node, 'A_Expr')?.kind === 'AEXPR_NULLIF') return strong('nullif');
  const cast = as(node, 'TypeCast');
  if (cast !== undefined) {
    const inner = figure(cast.arg);
    return inner?.isStrong === true ? inner : { name: strings(cast.typeName?.names).at(-1) ?? '', isStrong: false };
  }
  const choice = as(node, 'CaseExpr');
  if (choice !== undefined) {
    const inner = figure(choice.defresult);
    return inner?.isStrong === true ? inner : { name: 'case', isStrong: false };
  }
  if (as(node, 'CoalesceExpr') !== undefined) return strong('coalesce');
  const extreme = as(node, 'MinMaxExpr');
  if (extreme !== undefined) return strong(extreme.op === 'IS_LEAST' ? 'least' : 'greatest');
  if (as(node, 'A_ArrayExpr') !== undefined) return strong('array');
  if (as(node, 'RowExpr') !== undefined) return strong('row');
  return sublinkName(node);
}

function sublinkName(node: Node | undefined): Figured | undefined {
  const sublink = as(node, 'SubLink');
  if (sublink?.subLinkType === 'EXISTS_SUBLINK') return strong('exists');
  if (sublink?.subLinkType === 'ARRAY_SUBLINK') return strong('array');
  if (sublink?.subLinkType !== 'EXPR_SUBLINK') return undefined;
  const target = as(as(sublink.subselect, 'SelectStmt')?.targetList?.[0], 'ResTarget');
  return target?.name === undefined ? figure(target?.val) : strong(target.name);
}

const strong = (name: string | undefined): Figured | undefined => (name === undefined ? undefined : { name, isStrong: true });
