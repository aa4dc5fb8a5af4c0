import pg from 'pg';
import { camel } from '../../contract/case.ts';
import type { Log } from '../kernel/log.ts';
import { PreparingClient } from './prepared.ts';
import { asFault } from './refusal.ts';
import type { Statement } from './statement.ts';

export type SqlValue =
  | string
  | number
  | boolean
  | Date
  | Buffer
  | null
  | readonly string[]
  | readonly number[]
  | readonly Buffer[];

/** One connection of a pool, in the words of the driver. */
export interface Connection {
  query(asked: string | { name: string; text: string; values: unknown[] }): Promise<{ readonly rows: Record<string, unknown>[] }>;
  /** With an error it is not used again. */
  release(broken?: Error): void;
}

/** A pool of one role's connections. */
export interface Pool {
  /** One statement in its own transaction: one round trip. */
  query<Row>(statement: Statement<Row>, values?: readonly SqlValue[]): Promise<Row[]>;
  connect(): Promise<Connection>;
  readonly raw: pg.Pool;
  close(): Promise<void>;
}

const int8 = 20;
// Our bigints are counters and sizes, far below 2^53; the driver would hand them over as text.
const types = new pg.TypeOverrides();
types.setTypeParser(int8, Number);

interface PoolLimits {
  readonly connectionCountMax: number;
  /** A statement that is not answered for so long counts as lost with its connection, which is half-open then. */
  readonly answerMsMax: number;
  /** One that says nothing in a transaction, or does not take what the database sends, is cut off by the database after so long. */
  readonly silenceMsMax: number;
}

/** For what may take its time: lists and reports for people, contents of blobs. */
const patience = { answerMsMax: 60_000, silenceMsMax: 60_000 };

/**
 * The limits of silence are for a server that is gone without a word, its machine switched off: what it had locked is free again then.
 * Nobody waits for something else within a transaction. Compiling a statement pays for scans of millions of rows, which none of ours
 * is; where the planner guessed one, on a server that compiles by default (Debian's 15), it cost 0.6 s each time.
 */
function sessionSettings(silenceMsMax: number): string {
  const probeS = Math.max(1, Math.round(silenceMsMax / 6_000));
  return [
    'search_path=skep',
    'jit=off',
    `idle_in_transaction_session_timeout=${silenceMsMax}`,
    ...[`tcp_keepalives_idle=${2 * probeS}`, `tcp_keepalives_interval=${probeS}`, 'tcp_keepalives_count=4'],
    `tcp_user_timeout=${silenceMsMax}`,
  ]
    .map(setting => `-c ${setting}`)
    .join(' ');
}

/** `limits`: how many connections, and of whose silence how much is borne; a minute where it is not said. */
export function openPool(url: string, log: Log, limits: number | PoolLimits): Pool {
  const { connectionCountMax, answerMsMax, silenceMsMax } =
    typeof limits === 'number' ? { connectionCountMax: limits, ...patience } : limits;
  const raw = new pg.Pool({
    Client: PreparingClient,
    connectionString: url,
    max: connectionCountMax,
    types,
    application_name: 'skep',
    options: sessionSettings(silenceMsMax),
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
    query_timeout: answerMsMax,
    keepAlive: true,
  });
  // Without a listener an idle connection that is cut ends the process. A pool that ends has given its connections up already.
  raw.on('error', error => {
    if (!raw.ending) log.warn({ error: error.message }, 'an idle database connection was cut');
  });
  raw.on('connect', client => client.on('error', () => {}));
  return {
    raw,
    query: (statement, values) => runStatement(raw, statement, values),
    async connect() {
      try {
        return await raw.connect();
      } catch (error) {
        throw asFault(error);
      }
    },
    close: () => raw.end(),
  };
}

export async function runStatement<Row>(
  target: Pick<Connection, 'query'>,
  { name, text }: Statement<Row>,
  values: readonly SqlValue[] = [],
): Promise<Row[]> {
  try {
    const result = await target.query({ name, text, values: [...values] });
    return result.rows.map(row => camelRow(row)) as Row[];
  } catch (error) {
    throw asFault(error);
  }
}

const camelNames = new Map<string, string>();

function camelRow(row: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key in row) {
    let name = camelNames.get(key);
    if (name === undefined) {
      name = camel(key);
      camelNames.set(key, name);
    }
    out[name] = row[key];
  }
  return out;
}
