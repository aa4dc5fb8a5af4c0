import type { Node } from '@libpg-query/parser';
import type { Query, Scope } from '../scope.ts';
import { as, nameOf, unsupported } from '../tree.ts';
import { compileChange } from './change.ts';
import { compileInsert } from './insert.ts';

/** INSERT, UPDATE and DELETE. */
export function compileWrite(node: Node | undefined, outer: Scope): Omit<Query, 'exists'> {
  const insert = as(node, 'InsertStmt');
  if (insert !== undefined) return compileInsert(insert, outer);
  const update = as(node, 'UpdateStmt');
  if (update !== undefined) return compileChange({ ...update, beside: update.fromClause }, update.targetList ?? [], outer);
  const remove = as(node, 'DeleteStmt');
  if (remove !== undefined) return compileChange({ ...remove, beside: remove.usingClause }, undefined, outer);
  throw unsupported(nameOf(node));
}
