import type { Output } from '../context.ts';
import { cut, printable, styled, width } from '../output/text.ts';

export interface GridColumn<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Widest it may become, in terminal columns. Ignored in the last column, which takes what room is left. */
  readonly max?: number;
  readonly atRight?: boolean;
  /** Where there is no room for all, the column with the highest number goes first; without one it stays. */
  readonly goes?: number;
  /** Puts colour on a value that is padded already. */
  readonly paint?: (text: string, row: Row) => string;
}

/** Less is not worth having of the last column. */
const lastMin = 16;
const gap = 2;

/** A title and a line for each row, in aligned columns, none wider than `wide`: columns that have no room are left out. */
export function gridLines<Row>(out: Output, rows: readonly Row[], { columns, wide }: Grid<Row>): readonly string[] {
  const cells = columns.map(column => ({ column, texts: rows.map(row => printable(column.value(row))) }));
  const natural = cells.map(({ column: { title, max = 80 }, texts }) =>
    Math.min(max, Math.max(width(title), ...texts.map(width))),
  );
  const fit = fitting(columns, natural, wide);
  const line = (texts: readonly string[], paint: (text: string, i: number) => string): string => {
    const shown = fit.map(({ index, room }, at) => {
      const isLast = at === fit.length - 1;
      const text = cut(texts[index] ?? '', room);
      const space = ' '.repeat(Math.max(0, isLast && columns[index]?.atRight !== true ? 0 : room - width(text)));
      return paint(columns[index]?.atRight === true ? space + text : text + space, index);
    });
    return shown.join(' '.repeat(gap)).trimEnd();
  };
  const head = line(
    columns.map(({ title }) => title),
    text => text,
  );
  const body = rows.map((row, at) =>
    line(
      cells.map(({ texts }) => texts[at] ?? ''),
      (text, i) => columns[i]?.paint?.(text, row) ?? text,
    ),
  );
  return [styled(out, 'bold', head), ...body];
}

interface Grid<Row> {
  readonly columns: readonly GridColumn<Row>[];
  /** Infinite where nothing is to be cut. */
  readonly wide: number;
}

interface Fit {
  readonly index: number;
  readonly room: number;
}

function fitting<Row>(columns: readonly GridColumn<Row>[], natural: readonly number[], wide: number): readonly Fit[] {
  const left = new Set(columns.keys());
  const least = (): number => {
    const own = (i: number) => (i === columns.length - 1 ? Math.min(lastMin, natural[i] ?? 0) : (natural[i] ?? 0));
    return [...left].reduce((sum, i) => sum + own(i), 0) + gap * (left.size - 1);
  };
  const leaving = [...columns.entries()]
    .filter(([, { goes }]) => goes !== undefined)
    .sort(([, a], [, b]) => (b.goes ?? 0) - (a.goes ?? 0));
  for (const [index] of leaving) if (least() > wide && left.size > 1) left.delete(index);
  let room = wide;
  return [...left].flatMap(index => {
    const own = Math.min(index === columns.length - 1 ? Infinity : (natural[index] ?? 0), room);
    room -= own + gap;
    return own > 0 ? [{ index, room: own }] : [];
  });
}
