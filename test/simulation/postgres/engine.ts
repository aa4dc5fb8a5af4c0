import type { Node } from '@libpg-query/parser';
import { storedFunction } from './plpgsql/function.ts';
import { compileTrigger } from './plpgsql/trigger.ts';
import { compileExpression } from './sql/expressions/index.ts';
import { coerced } from './sql/expr.ts';
import { compileQuery } from './sql/query/index.ts';
import { Run, type Values, type World } from './sql/run.ts';
import { Compilation, type Compiler, type Fire, Scope, type StoredCall } from './sql/scope.ts';
import { type Compiled, compileStatement } from './sql/statement.ts';
import { as, type Body, parse } from './sql/tree.ts';
import { columnsOf } from './sql/writes/target.ts';
import { compileWrite } from './sql/writes/index.ts';
import type { Catalog, Judge, Table, Trigger } from './storage/types.ts';

export type Rewrite = (text: string) => string;

/** One part of a text of several statements. */
export interface Part {
  readonly tree: Node;
  /** What begins and ends a transaction, and what is set in it. */
  readonly turn: string | undefined;
  readonly set: Body<'VariableSetStmt'> | undefined;
  /** Of all else; compiled when it is asked for. */
  readonly compiled: Compiled;
}

/** Compiles statements, functions and triggers of one schema, each once; it holds nothing of any database. */
export class Engine implements Compiler {
  readonly catalog: Catalog;
  readonly expression = compileExpression;
  readonly query = compileQuery;
  readonly write = compileWrite;
  readonly #rewrite: Rewrite;
  readonly #parts = new Map<string, readonly Part[]>();
  readonly #functions = new Map<string, StoredCall | undefined>();

  constructor(catalog: Catalog, rewrite: Rewrite = text => text) {
    this.catalog = catalog;
    this.#rewrite = rewrite;
  }

  parts(text: string): readonly Part[] {
    const known = this.#parts.get(text);
    if (known !== undefined) return known;
    const parts = parse(this.#rewrite(text)).map(tree => new LazyPart(tree, this));
    this.#parts.set(text, parts);
    return parts;
  }

  function(name: string): StoredCall | undefined {
    if (this.#functions.has(name)) return this.#functions.get(name);
    const stored = this.catalog.function(name);
    const made = stored && storedFunction({ ...stored, text: this.#rewrite(stored.text) }, this);
    this.#functions.set(name, made);
    return made;
  }

  trigger(trigger: Trigger, table: Table): Fire {
    const stored = this.catalog.function(trigger.function);
    if (stored === undefined) throw new Error(`the function ${trigger.function} of the trigger ${trigger.name} is missing`);
    return compileTrigger(trigger, table, { stored: { ...stored, text: this.#rewrite(stored.text) }, compiler: this });
  }
}

class LazyPart implements Part {
  readonly tree: Node;
  readonly turn: string | undefined;
  readonly set: Body<'VariableSetStmt'> | undefined;
  readonly #compiler: Compiler;
  #compiled: Compiled | undefined;

  constructor(tree: Node, compiler: Compiler) {
    this.tree = tree;
    this.turn = as(tree, 'TransactionStmt')?.kind;
    this.set = as(tree, 'VariableSetStmt');
    this.#compiler = compiler;
  }

  get compiled(): Compiled {
    this.#compiled ??= compileStatement(this.tree, this.#compiler);
    return this.#compiled;
  }
}

type Check = (values: Values) => boolean | null;

/** What CHECKs and the conditions of indexes say; they speak of nothing but their row. */
export function judge(compiler: () => Compiler): Judge {
  const checks = new WeakMap<object, Check>();
  const compile = (table: Table, expression: Node): Check => {
    const scope = new Scope(new Compilation(compiler()));
    const { slot } = scope.add(table.name, columnsOf(table));
    const { eval: evaluate } = coerced(scope.compile(expression), 'bool');
    const x = new Run(nowhere);
    return values => {
      x.rows[slot] = values;
      return evaluate(x) as boolean | null;
    };
  };
  return {
    holds: (table, expression, values) => {
      const key = expression as Node;
      let check = checks.get(key);
      if (check === undefined) checks.set(key, (check = compile(table, key)));
      return check(values);
    },
  };
}

const nowhere = new Proxy({} as World, {
  get: (_, name) => {
    throw new Error(`a CHECK asks for ${String(name)} of the world around it`);
  },
});
