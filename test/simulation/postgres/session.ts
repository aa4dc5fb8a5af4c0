import type { Node } from '@libpg-query/parser';
import type { Engine, Part } from './engine.ts';
import { rowMaker } from './rows.ts';
import type { World } from './sql/run.ts';
import { as } from './sql/tree.ts';
import type { Storage } from './storage/types.ts';
import { Blocked, type Outside, type Role, type Row, type Session, SqlError, type Transaction } from './types.ts';

interface Place {
  readonly storage: Storage;
  readonly engine: Engine;
  readonly outside: Outside;
  readonly role: Role;
}

/** A transaction with what is set in it. */
interface Open {
  readonly world: World;
  readonly settings: Map<string, string>;
  hasFailed: boolean;
}

export class MemorySession implements Session {
  readonly #place: Place;
  #open: Open | undefined;
  #isEnded = false;

  constructor(place: Place) {
    this.#place = place;
  }

  get transaction(): Transaction | undefined {
    return this.#open?.world.tx;
  }

  run(text: string, values: readonly unknown[] = []): Row[] {
    if (this.#isEnded) throw new SqlError('08003', 'the connection is closed');
    let rows: Row[] = [];
    for (const part of this.#place.engine.parts(text)) rows = this.#part(part, values);
    return rows;
  }

  begin(): void {
    if (this.#open !== undefined) return;
    this.#open = this.#opened();
  }

  commit(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    if (open.hasFailed) open.world.tx.rollback();
    else finish(open);
  }

  rollback(): void {
    this.#open?.world.tx.rollback();
    this.#open = undefined;
  }

  end(): void {
    this.rollback();
    this.#isEnded = true;
  }

  #opened(): Open {
    const { storage, outside, role } = this.#place;
    const settings = new Map<string, string>();
    const world = { tx: storage.begin(), outside, role, begunAt: new Date(outside.now()), settings };
    return { world, settings, hasFailed: false };
  }

  #part(part: Part, values: readonly unknown[]): Row[] {
    if (part.turn !== undefined) {
      this.#turn(part.turn);
      return [];
    }
    const open = this.#open;
    if (open === undefined) return this.#alone(part, values);
    if (open.hasFailed) {
      throw new SqlError('25P02', 'current transaction is aborted, commands ignored until end of transaction block');
    }
    const { tx } = open.world;
    const mark = tx.mark();
    try {
      return execute(part, values, open);
    } catch (error) {
      tx.undo(mark);
      if (!(error instanceof Blocked)) open.hasFailed = true;
      throw error;
    }
  }

  /** A transaction of its own. */
  #alone(part: Part, values: readonly unknown[]): Row[] {
    const open = this.#opened();
    let rows: Row[];
    try {
      rows = execute(part, values, open);
    } catch (error) {
      open.world.tx.rollback();
      throw error;
    }
    finish(open);
    return rows;
  }

  #turn(kind: string): void {
    if (kind === 'TRANS_STMT_BEGIN' || kind === 'TRANS_STMT_START') this.begin();
    else if (kind === 'TRANS_STMT_COMMIT') this.commit();
    else if (kind === 'TRANS_STMT_ROLLBACK') this.rollback();
    else throw new Error(`the memory PostgreSQL does not know ${kind}`);
  }
}

/** Nothing of it holds where the commit does not go through. */
function finish({ world: { tx } }: Open): void {
  try {
    tx.commit();
  } catch (error) {
    if (!tx.isOver) tx.rollback();
    throw error;
  }
}

function execute(part: Part, values: readonly unknown[], { world, settings }: Open): Row[] {
  const { set } = part;
  if (set !== undefined) {
    settings.set(set.name ?? '', settingOf(set.args?.[0]));
    return [];
  }
  const { compiled } = part;
  const { rows } = compiled.run(world, values);
  world.tx.endStatement();
  return compiled.columns.length === 0 ? rows.map(() => ({})) : rows.map(rowMaker(compiled.columns));
}

const settingOf = (node: Node | undefined): string => as(node, 'A_Const')?.sval?.sval ?? '';
