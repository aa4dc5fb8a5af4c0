/**
 * A named SQL statement: written by hand, in a `*.sql.ts` file of the slice that owns the tables, and planned by a test on each
 * PostgreSQL that Skep runs on. The name makes it a prepared statement of each connection.
 */
export interface Statement<Row> {
  readonly name: string;
  readonly text: string;
  /** Only for the compiler: the columns, in camelCase. */
  readonly row?: Row;
}

export function statement<Row>(name: string, text: string): Statement<Row> {
  return { name, text };
}
