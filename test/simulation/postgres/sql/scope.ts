import type { Node, SelectStmt } from '@libpg-query/parser';
import type { Catalog, Table, Trigger } from '../storage/types.ts';
import { SqlError } from '../types.ts';
import { binderOf, type Conversion } from '../values/cast.ts';
import type { Type } from '../values/types.ts';
import type { AggregateSpec, WindowSpec } from './aggregate.ts';
import type { ColumnInfo, Expr } from './expr.ts';
import type { Run, Values, World } from './run.ts';

/** A compiled query. */
export interface Query {
  readonly columns: readonly ColumnInfo[];
  rows(x: Run): readonly Values[];
  /** Whether there is any row; stops at the first. */
  exists(x: Run): boolean;
}

/** A function of the schema. */
export interface StoredCall {
  readonly parameters: readonly { readonly name: string; readonly type: Type; readonly default?: Node | undefined }[];
  readonly type: Type;
  readonly returnsSet: boolean;
  /** Of what returns rows. */
  readonly fields: readonly ColumnInfo[] | undefined;
  call(x: Run, args: Values): readonly Values[];
}

/** What compiles; given in, since expressions hold queries, queries hold expressions, and both call functions. */
export interface Compiler {
  readonly catalog: Catalog;
  expression(node: Node, scope: Scope): Expr;
  query(node: SelectStmt, scope: Scope, options?: QueryOptions): Query;
  /** INSERT, UPDATE and DELETE; their rows are those of RETURNING. */
  write(node: Node | undefined, scope: Scope): Omit<Query, 'exists'>;
  function(name: string): StoredCall | undefined;
  trigger(trigger: Trigger, table: Table): Fire;
}

/** Undefined where the trigger's WHEN does not hold; else what is to be done at the end of the statement. */
export type Fire = (world: World, row: { readonly before?: Values; readonly after?: Values }) => (() => void) | undefined;

export interface QueryOptions {
  /** The types that its columns are to have where nothing else says it. */
  readonly types?: readonly Type[];
}

/** A relation that names can mean. */
export interface Item {
  readonly alias: string;
  readonly slot: number;
  readonly columns: readonly ColumnInfo[];
  /** Columns by their name alone do not mean it: `excluded`. */
  readonly onlyByAlias?: boolean;
}

export interface CommonTable {
  readonly columns: readonly ColumnInfo[];
  rows(x: Run): readonly Values[];
  /** To be said wherever it is used: what is made anew each round of a recursion must not be kept. */
  touch(): void;
}

export interface Variables {
  lookup(names: readonly string[]): Expr | undefined;
  parameter(number: number): Expr | undefined;
}

/** What belongs to one statement as a whole. */
export class Compilation {
  readonly compiler: Compiler;
  readonly variables: Variables | undefined;
  /** How many expensive expressions were compiled: subqueries, and calls of functions of the schema. */
  dear = 0;
  /** How many calls that give something else each time. */
  volatile = 0;
  /** Parts of a WITH that write: they run, asked for or not. */
  readonly writers: ((x: Run) => void)[] = [];
  /** Tables that any part of it writes to. */
  readonly written = new Set<string>();
  #slots = 0;
  #memos = 0;
  #tracked: Set<number>[] = [];
  readonly #parameters: { readonly number: number; readonly type: Type; readonly bind: Conversion }[] = [];

  constructor(compiler: Compiler, variables?: Variables) {
    this.compiler = compiler;
    this.variables = variables;
  }

  slot(): number {
    return this.#slots++;
  }

  memo(): number {
    return this.#memos++;
  }

  /** Which relations it hangs on, of those that were there before. */
  tracking<T>(compile: () => T): { readonly result: T; readonly uses: ReadonlySet<number> } {
    const first = this.#slots;
    const all = new Set<number>();
    this.#tracked.push(all);
    const result = compile();
    this.#tracked.pop();
    const uses = new Set([...all].filter(slot => slot < first));
    for (const slot of uses) this.touch(slot);
    return { result, uses };
  }

  touch(slot: number): void {
    this.#tracked.at(-1)?.add(slot);
  }

  /** Each is turned into its type once a run, before anything else. */
  parameter(number: number, type: Type): Expr {
    const known = this.#parameters.findIndex(each => each.number === number && each.type === type);
    const at = known >= 0 ? known : this.#parameters.push({ number, type, bind: binderOf(type) }) - 1;
    return { type, eval: x => x.parameters[at] };
  }

  bind(values: readonly unknown[]): Values {
    return this.#parameters.map(({ number, bind }) => {
      if (number > values.length) throw new SqlError('08P01', `there is no parameter $${number} among ${values.length}`);
      return bind(values[number - 1]);
    });
  }
}

/** What names mean at a place of a statement. */
export class Scope {
  readonly compilation: Compilation;
  readonly parent: Scope | undefined;
  readonly items: Item[] = [];
  readonly tables = new Map<string, CommonTable>();
  /** Where aggregates and window functions are allowed: they are gathered here. */
  aggregates: { readonly slot: number; readonly specs: AggregateSpec[] } | undefined;
  /** Where GROUP BY notes by which of its sets a row was grouped. */
  groupings: { readonly slot: number } | undefined;
  windows: { readonly slot: number; readonly specs: WindowSpec[] } | undefined;

  constructor(compilation: Compilation, parent?: Scope) {
    this.compilation = compilation;
    this.parent = parent;
  }

  compile(node: Node): Expr {
    return this.compilation.compiler.expression(node, this);
  }

  query(node: SelectStmt, options?: QueryOptions): Query {
    return this.compilation.compiler.query(node, this, options);
  }

  add(alias: string, columns: readonly ColumnInfo[], onlyByAlias = false): Item {
    const item = { alias, slot: this.compilation.slot(), columns, onlyByAlias };
    this.items.push(item);
    return item;
  }

  commonTable(name: string): CommonTable | undefined {
    return this.tables.get(name) ?? this.parent?.commonTable(name);
  }

  item(alias: string): Item | undefined {
    return this.items.find(item => item.alias === alias) ?? this.parent?.item(alias);
  }

  /** Throws SqlError 42703 and 42P01. */
  column(names: readonly string[]): Expr {
    const found = this.#find(names) ?? this.compilation.variables?.lookup(names);
    if (found !== undefined) return found;
    const [first = '', second] = names;
    if (second === undefined || this.item(first) !== undefined) {
      throw new SqlError('42703', `column ${second === undefined ? `"${first}"` : names.join('.')} does not exist`);
    }
    throw new SqlError('42P01', `missing FROM-clause entry for table "${first}"`);
  }

  #find(names: readonly string[]): Expr | undefined {
    const [first = '', second] = names;
    const candidates =
      second === undefined
        ? this.items.filter(item => item.onlyByAlias !== true && item.columns.some(column => column.name === first))
        : this.items.filter(item => item.alias === first && item.columns.some(column => column.name === second));
    if (candidates.length > 1) throw new SqlError('42702', `column reference "${names.join('.')}" is ambiguous`);
    const [item] = candidates;
    if (item === undefined) return this.parent === undefined ? undefined : this.parent.#find(names);
    return this.at(
      item,
      item.columns.findIndex(column => column.name === (second ?? first)),
    );
  }

  at({ slot, columns }: Item, position: number): Expr {
    const { compilation } = this;
    compilation.touch(slot);
    return {
      type: columns[position]?.type ?? 'unknown',
      eval: x => (x.rows[slot] as Values)[position],
      column: { slot, position },
    };
  }
}
