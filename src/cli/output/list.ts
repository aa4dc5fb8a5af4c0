import type { Context } from '../world.ts';
import { createTable } from './table.ts';
import type { Column } from './table.ts';

interface List<Row> {
  readonly pages: AsyncIterable<readonly Row[]>;
  readonly columns: readonly Column<Row>[];
  /** Said on stderr when there is nothing, with what to do about it. */
  readonly none: string;
}

/** Prints a list as it comes: one JSON object a line with --json, otherwise a table. */
export async function printList<Row extends object>(context: Context, { pages, columns, none }: List<Row>): Promise<void> {
  const table = createTable(context.out, columns);
  let isEmpty = true;
  for await (const rows of pages) {
    isEmpty &&= rows.length === 0;
    if (context.json) context.out.write(rows.map(row => `${JSON.stringify(row)}\n`).join(''));
    else table.add(rows);
  }
  if (isEmpty && !context.json) context.err.write(`${none}\n`);
}

interface Page<Row> {
  readonly rows: readonly Row[];
  /** The cursor of the next page; null: this was the last. */
  readonly next: string | null;
}

/** All pages one after another, at most `max` rows together. */
export async function* allPages<Row>(
  load: (after: string | undefined, limit: number) => Promise<Page<Row>>,
  max = Number.POSITIVE_INFINITY,
): AsyncIterable<readonly Row[]> {
  let after: string | undefined;
  for (let left = max; left > 0; ) {
    const { rows, next } = await load(after, Math.min(left, pageRows));
    yield rows;
    left -= rows.length;
    if (next === null || rows.length === 0) return;
    after = next;
  }
}

/** The largest page that the server gives (contract: pageLimit). */
const pageRows = 500;

/** A list that the server gives whole. */
export async function* onePage<Row>(rows: Promise<readonly Row[]>): AsyncIterable<readonly Row[]> {
  yield await rows;
}

export async function gathered<Row>(pages: AsyncIterable<readonly Row[]>): Promise<Row[]> {
  const all: Row[] = [];
  for await (const rows of pages) all.push(...rows);
  return all;
}
