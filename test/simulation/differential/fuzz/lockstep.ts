import type { Statement } from '../../../../src/db/statement.ts';
import { openMemoryPostgres } from '../../postgres/index.ts';
import { schemaCatalog } from '../../postgres/storage/catalog/index.ts';
import { Blocked, type MemoryPostgres, type Outside, type Session, SqlError } from '../../postgres/types.ts';
import { createDice, type Dice } from '../../world/dice.ts';
import { openRealPostgres, type RealPostgres } from '../real.ts';
import { createRecording, type Recording } from '../recording.ts';
import { compareTables, createReplayer, type Replayer } from '../replay.ts';
import { columnsOfParameters, guess, recordsOfParameters, type Stock } from './guess.ts';
import type { GivenRow } from './work.ts';

/** Both databases, asked the same in turns. */
export interface Lockstep {
  /** Puts rows in; throws where the two do not agree. */
  fill(rows: readonly GivenRow[]): Promise<void>;
  /** Runs a statement with guessed values in a transaction, which is taken back unless `isKept`. */
  tryOut(statement: Statement<unknown>, how: { readonly isKept: boolean }): Promise<Outcome>;
  /** The same in the transaction that one of some sessions has open, while those of the others are too. What has failed is over. */
  interleave(statement: Statement<unknown>, how: Interleaved): Promise<Outcome>;
  /** Ends the transaction of a session, if it has one. */
  end(session: number, how: 'commit' | 'rollback'): Promise<string | undefined>;
  tablesDiffer(): Promise<string | undefined>;
  close(): Promise<void>;
}

interface Interleaved {
  readonly session: number;
  /** Guessed where they are not given. */
  readonly values?: readonly unknown[];
}

export interface Outcome {
  /** What PostgreSQL says otherwise, if anything. */
  readonly difference: string | undefined;
  /** What both refused it with. */
  readonly code: string | undefined;
  readonly waits: boolean;
}

const beginning = Date.UTC(2030, 0, 1);

/** Values are guessed for these statements alone: while transactions hold tables PostgreSQL could not be asked what it takes them to be. */
export async function openLockstep(seed: number, statements: readonly Statement<unknown>[]): Promise<Lockstep> {
  const dice = createDice(seed);
  let now = beginning;
  const recording = createRecording({ now: () => now, random: () => dice.next(), uuid: () => uuidOf(dice) } satisfies Outside);
  const memory = openMemoryPostgres(recording.outside);
  const real = await openRealPostgres();
  const asking = new Asking({ recording, memory, real, dice, replayer: createReplayer(real) });
  await asking.learn(statements);
  return {
    async fill(rows) {
      for (const row of rows) await asking.insert(row);
    },
    tryOut(statement, how) {
      now += dice.between(0, 2_000);
      return asking.tryOut(statement, how);
    },
    interleave(statement, how) {
      now += dice.between(0, 20);
      return asking.interleave(statement, how);
    },
    end: (session, how) => asking.end(session, how),
    tablesDiffer: () => compareTables(real, memory),
    close: () => real.close(),
  };
}

interface Both {
  readonly recording: Recording;
  readonly memory: MemoryPostgres;
  readonly real: RealPostgres;
  readonly dice: Dice;
  readonly replayer: Replayer;
}

class Asking {
  readonly #both: Both;
  readonly #sessions = new Map<number, Session>();
  /** Not recorded: PostgreSQL need not follow. */
  readonly #looker: Session;
  #stock: Stock | undefined;
  readonly #types = new Map<string, readonly string[]>();
  #stepCount = 0;

  constructor(both: Both) {
    this.#both = both;
    this.#looker = both.memory.connect('owner');
  }

  /** What the types of their parameters are. */
  async learn(statements: readonly Statement<unknown>[]): Promise<void> {
    const client = await this.#both.real.connect();
    for (const { name, text } of statements) {
      await client.query(`prepare "${name}" as ${text}`);
      const { rows } = await client.query<{ types: string[] }>(
        'select parameter_types::text[] as types from pg_prepared_statements where name = $1',
        [name],
      );
      this.#types.set(name, rows[0]?.types ?? []);
    }
  }

  async insert([table, given]: GivenRow): Promise<void> {
    const names = Object.keys(given);
    const parameters = names.map((_, i) => `$${i + 1}`);
    this.#session(0).run(`insert into ${table} (${names.join(', ')}) values (${parameters.join(', ')})`, Object.values(given));
    const found = await this.#follow();
    if (found !== undefined) throw new Error(found);
  }

  async tryOut(statement: Statement<unknown>, { isKept }: { isKept: boolean }): Promise<Outcome> {
    const outcome = await this.interleave(statement, { session: 0 });
    const left = await this.end(0, isKept ? 'commit' : 'rollback');
    return { ...outcome, difference: outcome.difference ?? left };
  }

  async interleave(statement: Statement<unknown>, how: Interleaved): Promise<Outcome> {
    const values = how.values ?? this.#values(statement);
    const session = this.#session(how.session);
    if (session.transaction === undefined) session.begin();
    const failure = attempt(() => session.run(statement.text, values));
    if (failure !== undefined && !(failure instanceof Blocked)) session.rollback();
    const difference = await this.#follow();
    const isForeseen = failure instanceof Blocked || failure instanceof SqlError;
    const found = failure instanceof Error && !isForeseen ? failure.message : difference;
    return {
      difference: found && `${statement.name}, ${found}`,
      code: failure instanceof SqlError ? failure.code : undefined,
      waits: failure instanceof Blocked,
    };
  }

  async end(number: number, how: 'commit' | 'rollback'): Promise<string | undefined> {
    const session = this.#session(number);
    if (session.transaction === undefined) return undefined;
    session[how]();
    if (how === 'commit') this.#stock = undefined;
    return this.#follow();
  }

  #session(number: number): Session {
    const known = this.#sessions.get(number);
    if (known !== undefined) return known;
    const { recording, memory } = this.#both;
    const made = recording.watch(memory).connect('owner');
    this.#sessions.set(number, made);
    return made;
  }

  /** Lets PostgreSQL do what has been done in memory since; what differs first. */
  async #follow(): Promise<string | undefined> {
    const { recording, replayer } = this.#both;
    let first: string | undefined;
    for (const step of recording.steps.slice(this.#stepCount)) {
      const found = await replayer.ask(step);
      first ??= found;
    }
    this.#stepCount = recording.steps.length;
    return first;
  }

  #values({ name, text }: Statement<unknown>): unknown[] {
    const types = this.#types.get(name);
    if (types === undefined) throw new Error(`${name} is none of the statements that were said`);
    const columns = columnsOfParameters(text);
    const records = recordsOfParameters(text);
    const stock = (this.#stock ??= this.#takeStock());
    return types.map((type, i) =>
      guess({ type, column: columns.get(i + 1), records: records.get(i + 1) }, stock, this.#both.dice),
    );
  }

  #takeStock(): Stock {
    const stock = new Map<string, unknown[]>();
    for (const { name } of schemaCatalog().tables) {
      for (const row of this.#looker.run(`select * from ${name}`)) {
        for (const [column, value] of Object.entries(row)) {
          if (value === null) continue;
          for (const key of [column, `${name}.${column}`]) stock.set(key, [...(stock.get(key) ?? []), value]);
        }
      }
    }
    return stock;
  }
}

/** What it throws. */
function attempt(ask: () => unknown): unknown {
  try {
    ask();
    return undefined;
  } catch (error) {
    return error;
  }
}

function uuidOf(dice: Dice): string {
  const hex = (length: number) => Array.from({ length }, () => dice.between(0, 15).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
}
