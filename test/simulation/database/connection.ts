import type { Connection } from '../../../src/db/pool.ts';
import { Blocked, type Role, type Row, type Session, SqlError } from '../postgres/types.ts';
import { cut, refused } from './errors.ts';
import type { Meeting } from './faults.ts';
import { mayWait, waitsNoLonger } from './waits.ts';

type Asked = Parameters<Connection['query']>[0];

interface Request {
  readonly asked: Asked;
  /** What came of it, while its commit waits for the disk. */
  done?: readonly Row[];
  answer(rows: readonly Row[]): void;
  refuse(error: Error): void;
}

interface Holder {
  readonly role: Role;
  readonly whenOver: (connection: SimulatedConnection) => void;
  readonly whenFree: (connection: SimulatedConnection) => void;
}

/** A connection of the driver as the product sees it; what is asked of it takes virtual time. */
export class SimulatedConnection implements Connection {
  readonly #meeting: Meeting;
  readonly #session: Session;
  /** Told once, when it is over. */
  readonly #whenOver: (connection: SimulatedConnection) => void;
  readonly #whenFree: (connection: SimulatedConnection) => void;
  /** On its way, or waiting for a lock. */
  #pending: Request | undefined;
  /** Since a statement of its transaction failed, until the transaction ends. */
  #hasFailed = false;
  #isOver = false;
  /** Of the transaction that is open. */
  #lagMs = 0;

  constructor(meeting: Meeting, { role, whenOver, whenFree }: Holder) {
    this.#meeting = meeting;
    this.#session = meeting.postgres.connect(role);
    this.#whenOver = whenOver;
    this.#whenFree = whenFree;
  }

  query(asked: Asked): Promise<{ readonly rows: Row[] }> {
    return new Promise((resolve, reject) => {
      const request: Request = {
        asked,
        answer: rows => this.#backAtServer(() => resolve({ rows: [...rows] })),
        refuse: error => this.#backAtServer(() => reject(error)),
      };
      if (this.#isOver) {
        request.refuse(cut());
        return;
      }
      this.#pending = request;
      this.#meeting.scheduler.after(this.#meeting.faults.takesMs() + this.#lagMs, () => this.#arrive(request));
    });
  }

  /** It can be used again where nothing is left open on it. */
  release(broken?: Error): void {
    if (this.#isOver) return;
    const isClean = !this.#hasFailed && this.#pending === undefined && this.#session.transaction === undefined;
    this.#lagMs = 0;
    if (broken === undefined && isClean) this.#whenFree(this);
    else this.#end();
  }

  /** The server is gone: what was on its way may have arrived before, what was begun is rolled back. Nobody hears of it. */
  crash(): void {
    const { dice } = this.#meeting;
    if (this.#pending !== undefined && dice.chance(0.5)) this.#arrive(this.#pending);
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pending = undefined;
    this.#session.end();
    this.#whenOver(this);
  }

  #backAtServer(happen: () => void): void {
    const { scheduler, process, faults } = this.#meeting;
    scheduler.after(faults.takesMs() + this.#lagMs, () => process.enter(happen));
  }

  #arrive(request: Request): void {
    if (this.#isOver || this.#pending !== request) return;
    try {
      if (this.#hasToWaitForDisk(request)) return;
      const rows = request.done === undefined ? this.#perform(request.asked) : this.#commitOf(request.done);
      this.#pending = undefined;
      request.answer(rows);
    } catch (error) {
      if (error instanceof Blocked) this.#wait(request, error);
      else this.#fail(request, error);
    }
  }

  /** A statement alone that writes, done and not committed: nobody sees it yet, and who wants its rows waits. */
  #hasToWaitForDisk(request: Request): boolean {
    const { asked, done } = request;
    const isAlone = typeof asked !== 'string' && done === undefined && this.#session.transaction === undefined;
    if (!isAlone || this.#hasFailed || asked.text.startsWith('select')) return false;
    const flushMs = this.#meeting.faults.flushMs(asked.text);
    if (flushMs === 0) return false;
    this.#session.begin();
    try {
      request.done = this.#session.run(asked.text, asked.values);
    } catch (error) {
      this.#session.rollback();
      throw error;
    }
    // What has found nothing has mostly written nothing.
    this.#meeting.scheduler.after(request.done.length === 0 ? 0 : flushMs, () => this.#arrive(request));
    return true;
  }

  #perform(asked: Asked): readonly Row[] {
    if (typeof asked !== 'string') return this.#statement(asked.text, asked.values);
    if (asked === 'commit') return this.#commit();
    if (asked === 'rollback') {
      this.#hasFailed = false;
      this.#session.rollback();
      return [];
    }
    const [begin, ...rest] = asked.split(';').map(part => part.trim());
    if (begin !== 'begin') throw new Error(`The simulated connection cannot be asked ${asked}`);
    this.#lagMs = this.#meeting.faults.lagMs();
    this.#session.begin();
    for (const text of rest) this.#session.run(text);
    return [];
  }

  #statement(text: string, values: readonly unknown[]): readonly Row[] {
    if (this.#hasFailed)
      throw new SqlError('25P02', 'current transaction is aborted, commands ignored until end of transaction block');
    if (this.#session.transaction !== undefined) return this.#session.run(text, values);
    return this.#cutAround(() => this.#session.run(text, values));
  }

  #commit(): readonly Row[] {
    // PostgreSQL answers it as if all were well.
    if (this.#hasFailed) return this.#perform('rollback');
    return this.#commitOf([]);
  }

  #commitOf(rows: readonly Row[]): readonly Row[] {
    return this.#cutAround(() => {
      this.#session.commit();
      return rows;
    });
  }

  #cutAround(commit: () => readonly Row[]): readonly Row[] {
    const { faults } = this.#meeting;
    if (faults.isCutBeforeCommit()) throw cut();
    const rows = commit();
    if (faults.isCutAfterCommit()) throw cut();
    return rows;
  }

  #wait(request: Request, { by }: Blocked): void {
    const own = this.#session.transaction;
    if (own !== undefined && !mayWait(own, by)) {
      this.#fail(request, new SqlError('40P01', 'deadlock detected'));
      return;
    }
    by.whenOver(() => {
      if (own !== undefined) waitsNoLonger(own);
      this.#meeting.scheduler.after(0, () => this.#arrive(request));
    });
  }

  #fail(request: Request, error: unknown): void {
    this.#pending = undefined;
    if (error instanceof SqlError) {
      // A transaction that has failed holds no lock, though it is not over for its client.
      this.#hasFailed ||= this.#session.transaction !== undefined;
      this.#session.rollback();
      request.refuse(refused(error));
    } else if (error instanceof Error) {
      request.refuse(error);
      this.#end();
    }
  }
}
