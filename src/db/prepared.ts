import pg from 'pg';

/** Private fields of the driver's query and of its result (pg/lib/query.js and result.js; package.json has its exact version). */
const inQuery = { result: '_result', keepsRows: '_accumulateRows' } as const;
const inResult = { fields: 'fields', parsers: '_parsers', emptyRow: '_prebuiltEmptyResultObject' } as const;

type Shape = { [field in (typeof inResult)[keyof typeof inResult]]: unknown };

interface DriverConnection {
  describe(what: unknown): void;
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

/** Of each connection: what its prepared statements answer. */
const shapes = new WeakMap<DriverConnection, Map<string, Shape>>();

/**
 * Asks what a prepared statement answers the first time that a connection executes it. The driver has all columns described with each
 * answer, and makes its parsers anew: of a run with its 32 columns that took as long as all else that it does for a claim. The server
 * refuses a statement whose columns have changed since, so what is kept is never wrong.
 */
class PreparedQuery extends DriverQuery {
  override prepare(connection: DriverConnection): void {
    const shape = shapes.get(connection)?.get(this.name);
    if (shape === undefined) return super.prepare(connection);
    Object.assign(this[inQuery.result], shape);
    this[inQuery.keepsRows] = true;
    super.prepare(Object.create(connection, { describe: { value() {} } }) as DriverConnection);
  }

  override handleCommandComplete(message: unknown, connection: DriverConnection): void {
    super.handleCommandComplete(message, connection);
    const known = shapes.get(connection) ?? new Map<string, Shape>();
    shapes.set(connection, known);
    if (!known.has(this.name)) known.set(this.name, shapeOf(this[inQuery.result]));
  }
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
