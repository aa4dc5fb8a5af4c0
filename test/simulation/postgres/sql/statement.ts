import type { Node } from '@libpg-query/parser';
import type { ColumnInfo } from './expr.ts';
import { tableName } from './query/from.ts';
import { Run, type Values, type World } from './run.ts';
import { Compilation, type Compiler, Scope, type Variables } from './scope.ts';
import { as, must } from './tree.ts';

interface Result {
  readonly rows: readonly Values[];
  /** Rows that were given out or written. */
  readonly affected: number;
}

/** A compiled statement. It holds no state: one serves every database of the same schema. */
export interface Compiled {
  readonly columns: readonly ColumnInfo[];
  /** Parameters are as a driver is given them. */
  run(world: World, parameters: readonly unknown[], variables?: Values): Result;
}

const none: Values = [];

/** Throws a plain Error that names what it does not know, and SqlError for what PostgreSQL would refuse. */
export function compileStatement(node: Node, compiler: Compiler, variables?: Variables): Compiled {
  const lock = as(node, 'LockStmt');
  if (lock !== undefined) return lockTables(lock.relations ?? []);
  const compilation = new Compilation(compiler, variables);
  const scope = new Scope(compilation);
  const select = as(node, 'SelectStmt');
  const query = select === undefined ? compiler.write(node, scope) : scope.query(select);
  const { columns } = query;
  return {
    columns,
    run: (world, given, variables = none) => {
      for (const table of compilation.written) world.tx.willWrite(table);
      const x = new Run(world, { parameters: compilation.bind(given), variables });
      const rows = query.rows(x);
      const affected = select === undefined ? x.affected : rows.length;
      for (const write of compilation.writers) write(x);
      x.finish();
      return { rows, affected };
    },
  };
}

function lockTables(relations: readonly Node[]): Compiled {
  const names = relations.map(node => tableName(must(node, 'RangeVar')));
  return {
    columns: [],
    run: ({ tx }) => {
      for (const name of names) tx.lockTable(name);
      return { rows: [], affected: 0 };
    },
  };
}
