/**
 * A PostgreSQL of one thread, in memory, for the simulation: it reads the product's own schema and runs the product's own statements, so
 * that what is simulated is the SQL that is shipped. Not a database for anything else; test/simulation/differential compares it with the
 * real one, statement by statement.
 */

/** Time and dice of the simulated world. */
export interface Outside {
  /** Milliseconds since the epoch, as clock_timestamp() says it; now() is that of the transaction's begin. */
  now(): number;
  /** From 0 up to 1. */
  random(): number;
  uuid(): string;
}

export interface MemoryPostgres {
  connect(role: Role): Session;
  /** Calls back at each commit that has notified, with channel and payload, in order. */
  onNotify(callback: (channel: string, payload: string) => void): void;
}

/** `owner` may do everything. Row walls and grants are not simulated: the tests of access are about them. */
export type Role = 'app' | 'engine' | 'owner';

/**
 * One connection. Every call happens at one moment and is all or nothing: a statement that meets a lock throws Blocked and has done
 * nothing, and is asked again when `by` has ended.
 */
export interface Session {
  /** Outside of begin and commit each statement is its own transaction. Throws Blocked, SqlError. */
  run(text: string, values?: readonly unknown[]): Row[];
  begin(): void;
  commit(): void;
  /** Of a transaction that has failed too; harmless outside of one. */
  rollback(): void;
  /** As a connection that is cut: what was begun is rolled back. */
  end(): void;
  readonly transaction: Transaction | undefined;
}

export type Row = Record<string, unknown>;

/** Who holds a lock. */
export interface Transaction {
  readonly id: number;
  readonly isOver: boolean;
  /** Called once, when it is over. */
  whenOver(callback: () => void): void;
}

export class Blocked extends Error {
  readonly by: Transaction;
  constructor(by: Transaction) {
    super(`waits for transaction ${by.id}`);
    this.by = by;
  }
}

/** What PostgreSQL would refuse, with its SQLSTATE, so that src/db/refusal.ts knows it. */
export class SqlError extends Error {
  readonly code: string;
  readonly constraint: string | undefined;
  constructor(code: string, message: string, constraint?: string) {
    super(message);
    this.code = code;
    this.constraint = constraint;
  }
}
