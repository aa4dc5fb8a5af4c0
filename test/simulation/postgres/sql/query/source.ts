import type { Table } from '../../storage/types.ts';
import type { ColumnInfo, Expr } from '../expr.ts';
import type { Run, Values } from '../run.ts';

/** What stands in FROM: a table, or rows that are made. */
export interface Source {
  readonly slot: number;
  readonly alias: string;
  readonly columns: readonly ColumnInfo[];
  readonly table: Table | undefined;
  /** Of what is no table. */
  readonly rows: ((x: Run) => readonly Values[]) | undefined;
  /** The relations beside it that it hangs on. */
  readonly uses: ReadonlySet<number>;
  /** Of the right side of a left join: what must hold, and what comes before it. */
  readonly outer: { readonly on: readonly Condition[]; readonly after: ReadonlySet<number> } | undefined;
}

export interface Condition {
  readonly expr: Expr;
  readonly uses: ReadonlySet<number>;
  /** It asks further tables, or calls a function of the schema: what is cheap goes first, as PostgreSQL has it. */
  readonly isDear: boolean;
}

export interface From {
  readonly sources: readonly Source[];
  readonly conditions: readonly Condition[];
}
