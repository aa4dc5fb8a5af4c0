import pg from 'pg';

/** Private fields of the driver's query and of its result (pg/lib/query.js and result.js; package.json has its exact version). */
const inQuery = { result: '_result', keepsRows: '_accumulateRows' } as const;
const inResult = { fields: 'fields', parsers: '_parsers', emptyRow: '_prebuiltEmptyResultObject' } as const;

type Shape = { [field in (typeof inResult)[keyof typeof inResult]]: unknown };

/** What a query asks of its connection. */
interface DriverConnection {
  readonly parsedStatements: unknown;
  readonly submittedNamedStatements: unknown;
  readonly parse: (what: unknown) => void;
  readonly bind: (what: unknown) => void;
  readonly describe: (what: unknown) => void;
  readonly execute: (what: unknown) => void;
  readonly close: (what: unknown) => void;
  readonly flush: () => void;
  readonly sync: () => void;
}

type Callback = (error: Error | undefined, result: pg.QueryResult) => void;

/** The driver's query, with what its types leave out. */
interface DriverQuery extends pg.Submittable {
  readonly name: string;
  callback: Callback | undefined;
  readonly [inQuery.result]: Shape;
  [inQuery.keepsRows]: boolean;
  prepare(connection: DriverConnection): void;
  handleCommandComplete(message: unknown, connection: DriverConnection): void;
}

const DriverQuery = pg.Query as unknown as new (asked: pg.QueryConfig, values?: unknown[]) => DriverQuery;

interface Known {
  /** What its prepared statements answer. */
  readonly shapes: Map<string, Shape>;
  /** The same connection, for who need not ask that. */
  readonly undescribed: DriverConnection;
}

const known = new WeakMap<DriverConnection, Known>();

/**
 * Asks what a prepared statement answers the first time that a connection executes it. The driver has all columns described with each
 * answer, and makes its parsers anew: of a run with its 32 columns that took as long as all else that it does for a claim. The server
 * refuses a statement whose columns have changed since, so what is kept is never wrong.
 */
class PreparedQuery extends DriverQuery {
  override prepare(connection: DriverConnection): void {
    const { shapes, undescribed } = known.get(connection) ?? {};
    const shape = shapes?.get(this.name);
    if (shape === undefined || undescribed === undefined) return super.prepare(connection);
    Object.assign(this[inQuery.result], shape);
    this[inQuery.keepsRows] = true;
    super.prepare(undescribed);
  }

  override handleCommandComplete(message: unknown, connection: DriverConnection): void {
    super.handleCommandComplete(message, connection);
    const { shapes } = known.get(connection) ?? learn(connection);
    if (!shapes.has(this.name)) shapes.set(this.name, shapeOf(this[inQuery.result]));
  }
}

function learn(connection: DriverConnection): Known {
  const { parsedStatements, submittedNamedStatements } = connection;
  const made: Known = {
    shapes: new Map(),
    undescribed: {
      ...{ parsedStatements, submittedNamedStatements, describe() {} },
      parse: what => connection.parse(what),
      bind: what => connection.bind(what),
      execute: what => connection.execute(what),
      close: what => connection.close(what),
      flush: () => connection.flush(),
      sync: () => connection.sync(),
    },
  };
  known.set(connection, made);
  return made;
}

/** Without the rows. */
function shapeOf(result: Shape): Shape {
  return Object.fromEntries(Object.values(inResult).map(field => [field, result[field]])) as Shape;
}

/** The driver's client, whose named statements are described once. */
export const PreparingClient: typeof pg.Client = class extends pg.Client {
  // Takes all that the driver's own takes.
  override query(...given: unknown[]): never {
    const [asked, values, callback] = given;
    const ask = super.query.bind(this) as (...args: unknown[]) => never;
    if (!isNamed(asked)) return ask(...given);
    const query = new PreparedQuery(asked, Array.isArray(values) ? values : undefined);
    query.callback = (typeof values === 'function' ? values : callback) as Callback | undefined;
    if (query.callback !== undefined) return ask(query);
    return new Promise((resolve, reject) => {
      // No error is null or undefined, by who calls back.
      query.callback = (error, result) => (error instanceof Error ? reject(error) : resolve(result));
      ask(query);
    }) as never;
  }
};

function isNamed(asked: unknown): asked is pg.QueryConfig {
  return typeof asked === 'object' && asked !== null && 'name' in asked && asked.name !== undefined && !('submit' in asked);
}
