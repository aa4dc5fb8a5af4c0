import type { Output } from '../world.ts';
import { cut, printable, styled, width } from './text.ts';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | null;
  /** Widest it may become, in terminal columns; absent: as wide as its widest value. Ignored in the last column. */
  readonly max?: number;
  /** Puts colour on a value that is padded already. */
  readonly paint?: (text: string, row: Row) => string;
}

/**
 * Rows in aligned columns, page after page: the first page sets the widths, so that a long list needs no memory. Numbers stand
 * at the right. The titles are printed once, and nothing at all for no rows.
 */
export function createTable<Row>(output: Output, columns: readonly Column<Row>[]): { add(rows: readonly Row[]): void } {
  let widths: number[] | undefined;
  return {
    add(rows) {
      if (rows.length === 0) return;
      if (widths === undefined) {
        widths = columns.map(column => columnWidth(column, rows));
        const titles = columns.map(({ title }, i) => padded(title, widths?.[i] ?? 0));
        output.write(`${styled(output, 'bold', titles.join('  ').trimEnd())}\n`);
      }
      for (const row of rows) output.write(`${line(columns, row, widths)}\n`);
    },
  };
}

/** Names and values under each other, for one thing. Absent values are left out. */
export function fields(entries: readonly Field[]): string {
  const shown = entries.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const widest = Math.max(0, ...shown.map(([name]) => width(name)));
  return shown
    .map(
      ([name, value, paint = (text: string) => text]) => `${padded(name, widest)}  ${paint(indented(String(value), widest + 2))}`,
    )
    .join('\n');
}

/** Name, value, and what puts colour on it. */
type Field = readonly [name: string, value: string | number | null | undefined, paint?: (text: string) => string];

function columnWidth<Row>({ title, value, max = 80 }: Column<Row>, rows: readonly Row[]): number {
  let widest = width(title);
  for (const row of rows) widest = Math.max(widest, Math.min(max, width(printable(String(value(row) ?? '-')))));
  return widest;
}

function line<Row>(columns: readonly Column<Row>[], row: Row, widths: readonly number[]): string {
  const cells = columns.map(({ value, paint }, i) => {
    const isLast = i === columns.length - 1;
    const raw = value(row);
    const columnsMax = widths[i] ?? 0;
    const text = printable(String(raw ?? '-'));
    const shown = isLast ? text : padded(cut(text, columnsMax), columnsMax, typeof raw === 'number');
    return paint === undefined ? shown : paint(shown, row);
  });
  return cells.join('  ').trimEnd();
}

function padded(text: string, columns: number, atRight = false): string {
  const space = ' '.repeat(Math.max(0, columns - width(text)));
  return atRight ? space + text : text + space;
}

function indented(text: string, columns: number): string {
  return printable(text, { keepNewlines: true })
    .trimEnd()
    .replaceAll('\n', `\n${' '.repeat(columns)}`);
}
