import { Json } from '../values/json.ts';
import { schemaCatalog } from './catalog/index.ts';
import { child, list, text } from './catalog/tree.ts';
import { openStorage } from './index.ts';
import type { Judge, Storage, StorageTransaction, Table, Tuple, Value } from './types.ts';

/** An empty storage whose judge knows `column = any (array[…])` and takes all else for fulfilled. */
export function emptyStorage(): Storage {
  const judge: Judge = { holds: isOneOf };
  return openStorage({ judge });
}

function isOneOf(table: Table, expression: unknown, values: readonly Value[]): boolean | null {
  const column = text(list(child(expression, 'A_Expr', 'lexpr', 'ColumnRef'), 'fields')[0], 'String', 'sval');
  if (text(expression, 'A_Expr', 'kind') !== 'AEXPR_OP_ANY' || column === '') return true;
  const value = values[table.position(column)];
  if (value === null || value === undefined) return null;
  const allowed = list(child(expression, 'A_Expr', 'rexpr', 'A_ArrayExpr'), 'elements');
  return allowed.some(entry => text(entry, 'TypeCast', 'arg', 'A_Const', 'sval', 'sval') === value);
}

/** What is not given is null. */
export function rowOf(storage: Storage, table: string, given: Readonly<Record<string, Value>>): Value[] {
  return storage.catalog.table(table).columns.map(({ name }) => given[name] ?? null);
}

export const tenant = 'tenant';

/** Puts rows in and commits. */
export function commitIn(storage: Storage, ...rows: readonly (readonly [string, Readonly<Record<string, Value>>])[]): Tuple[] {
  const transaction = storage.begin();
  const tuples = rows.map(([table, given]) => transaction.insert(table, rowOf(storage, table, given)));
  transaction.commit();
  return tuples;
}

export const aTenant = ['tenants', { id: tenant, name: 'n', ticket_count: 0, created_at: new Date(0) }] as const;

export function aProject(id: string, name = id) {
  const at = new Date(0);
  const rules = {
    test_changes: 'ask',
    red_base: 'refuse',
    collisions: 'hold',
    labels: [],
    isolation: 'namespaces',
    network: Json.of([]),
  };
  return ['projects', { id, tenant_id: tenant, name, created_at: at, updated_at: at, ...rules }] as const;
}

export function aRun(id: string, given: Readonly<Record<string, Value>> = {}) {
  const at = new Date(0);
  const about = { subject_type: 'ticket', subject_id: 'TKT-001', attempt: 1, state: 'queued' };
  const rest = { priority: 0, chain: 0, requires: [], due_at: at, created_at: at, resumed: false, health: 'ok', carried: false };
  return ['runs', { id, tenant_id: tenant, ...about, ...rest, ...given }] as const;
}

export function aBudget(id: string, given: Readonly<Record<string, Value>> = {}) {
  const at = new Date(0);
  const spent = { spent_microusd: 0, spent_tokens: 0, reserved_microusd: 0, reserved_tokens: 0 };
  const about = { scope: 'run', scope_id: id, cap_tokens: 1, level: 'ok' };
  return ['budgets', { id, tenant_id: tenant, ...about, ...spent, created_at: at, updated_at: at, ...given }] as const;
}

/** The values of a tuple with some of them changed. */
export function changed(by: StorageTransaction, tuple: Tuple, given: Readonly<Record<string, Value>>): Value[] {
  const values = [...(by.read(tuple) ?? [])];
  const table = schemaCatalog().table(tuple.table);
  for (const [column, value] of Object.entries(given)) values[table.position(column)] = value;
  return values;
}
