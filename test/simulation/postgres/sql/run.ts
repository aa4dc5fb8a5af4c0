import type { StorageTransaction, Tuple, Value } from '../storage/types.ts';
import type { Outside, Role } from '../types.ts';

export type Values = readonly Value[];

/** What a statement finds around it. */
export interface World {
  readonly tx: StorageTransaction;
  readonly outside: Outside;
  readonly role: Role;
  /** What now() says: when the transaction began. */
  readonly begunAt: Date;
  readonly settings: ReadonlyMap<string, string>;
}

interface Given {
  readonly parameters?: Values;
  readonly variables?: Values;
}

const none: Values = [];

/** One run of one statement. Everything that is compiled is free of state; this is where state lives. */
export class Run {
  readonly world: World;
  /** The row that each relation of the statement, subqueries included, stands at. */
  readonly rows: Values[] = [];
  readonly tuples: (Tuple | undefined)[] = [];
  /** Results that are made once a run: of common tables and of subqueries that hang on nothing. */
  readonly memo: unknown[] = [];
  readonly parameters: Values;
  /** Of a function: its arguments and what it declares. */
  readonly variables: Values;
  /** What the statement does not see of what it has done itself: each row as it was before; undefined where there was none. */
  #before: Map<Tuple, Values | undefined> | undefined;
  #after: (() => void)[] | undefined;
  /** How many rows the last part that writes has written. */
  affected = 0;

  constructor(world: World, { parameters = none, variables = none }: Given = {}) {
    this.world = world;
    this.parameters = parameters;
    this.variables = variables;
  }

  read(tuple: Tuple): Values | undefined {
    if (this.#before?.has(tuple) === true) return this.#before.get(tuple);
    return this.world.tx.read(tuple);
  }

  /** Whether this statement has written the row. */
  hasWritten(tuple: Tuple): boolean {
    return this.#before?.has(tuple) === true;
  }

  /** To be said of each row before it is written, or after it was inserted. */
  noteWrite(tuple: Tuple, before: Values | undefined): void {
    this.#before ??= new Map();
    if (!this.#before.has(tuple)) this.#before.set(tuple, before);
  }

  /** At the end of the statement. */
  later(act: () => void): void {
    (this.#after ??= []).push(act);
  }

  finish(): void {
    for (const act of this.#after ?? []) act();
  }
}
