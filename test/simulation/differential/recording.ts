import { Blocked, type MemoryPostgres, type Outside, type Role, type Row, type Session, SqlError } from '../postgres/types.ts';

/** What was asked of the in-memory database, when, what dice it threw, and what it answered. */
export interface Step {
  readonly session: number;
  readonly what: 'begin' | 'run' | 'commit' | 'rollback' | 'end';
  readonly text: string;
  readonly values: readonly unknown[];
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Of its transaction. */
  readonly begunAt: number;
  readonly uuids: readonly string[];
  readonly randoms: readonly number[];
  readonly answer: Answer;
}

/** Rows, a SQLSTATE, or that it has to wait for a lock and will be asked again. */
export type Answer =
  | { readonly rows: readonly Row[] }
  | { readonly code: string; readonly constraint: string | undefined }
  | { readonly waits: true };

export interface Recording {
  /** To be given to the in-memory database. */
  readonly outside: Outside;
  readonly steps: readonly Step[];
  /** The same database, with all that its sessions are asked written down. */
  watch<P extends MemoryPostgres>(postgres: P): P;
}

export function createRecording(outside: Outside): Recording {
  const steps: Step[] = [];
  let thrown: { uuids: string[]; randoms: number[] } = { uuids: [], randoms: [] };
  let sessions = 0;

  function watchSession(session: Session): Session {
    const number = ++sessions;
    let begunAt: number | undefined;
    function step<T extends readonly Row[] | void>(asked: Pick<Step, 'what' | 'text' | 'values'>, perform: () => T): T {
      thrown = { uuids: [], randoms: [] };
      const at = outside.now();
      const write = (answer: Answer) => steps.push({ session: number, ...asked, at, begunAt: begunAt ?? at, ...thrown, answer });
      try {
        const rows = perform();
        write({ rows: rows ?? [] });
        return rows;
      } catch (error) {
        if (error instanceof SqlError) write({ code: error.code, constraint: error.constraint });
        else if (error instanceof Blocked) write({ waits: true });
        else throw new Error(`${String(error)} in ${asked.text}`, { cause: error });
        throw error;
      }
    }
    const end = (what: 'commit' | 'rollback' | 'end') => {
      step({ what, text: what, values: [] }, () => session[what]());
      begunAt = undefined;
    };
    return {
      get transaction() {
        return session.transaction;
      },
      run: (text, values = []) => step({ what: 'run', text, values }, () => session.run(text, values)),
      begin() {
        begunAt = outside.now();
        step({ what: 'begin', text: 'begin', values: [] }, () => session.begin());
      },
      commit: () => end('commit'),
      rollback: () => end('rollback'),
      end: () => end('end'),
    };
  }

  return {
    outside: {
      now: () => outside.now(),
      random() {
        const value = outside.random();
        thrown.randoms.push(value);
        return value;
      },
      uuid() {
        const value = outside.uuid();
        thrown.uuids.push(value);
        return value;
      },
    },
    steps,
    watch: postgres => ({
      ...postgres,
      connect: (role: Role) => watchSession(postgres.connect(role)),
    }),
  };
}
