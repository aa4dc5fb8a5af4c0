import type { SelectStmt } from '@libpg-query/parser';
import type { Query, QueryOptions, Scope } from '../scope.ts';
import { compileSelect } from './select.ts';
import { compileSetOperation, compileValues } from './sets.ts';
import { scopeWith } from './with.ts';

export function compileQuery(stmt: SelectStmt, outer: Scope, options?: QueryOptions): Query {
  const scope = scopeWith(stmt.withClause, outer);
  if (stmt.op !== undefined && stmt.op !== 'SETOP_NONE') return compileSetOperation(stmt, scope, options);
  if (stmt.valuesLists !== undefined) return compileValues(stmt, scope, options);
  return compileSelect(stmt, scope, options);
}
