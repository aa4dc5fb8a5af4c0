import { topRowsMax, type WireTop } from '../../../contract/fleet/top.ts';
import { clockText } from '../build/view/words.ts';
import type { Output, Size } from '../context.ts';
import { cut, printable, styled, width } from '../output/text.ts';
import { gridLines, type GridColumn } from './grid.ts';
import { headLines } from './head.ts';
import { retryColumns, runColumns, workerColumns } from './tables.ts';

export interface Scene {
  readonly top: WireTop;
  readonly server: string;
  /** How long the server has not answered, in milliseconds, where that is worth saying. */
  readonly awayMs: number | undefined;
  /** Said at the bottom; empty: nothing is. */
  readonly foot: string;
}

/** Nothing is cut, and nothing left out: for what is no terminal. */
export const endless: Size = { columns: Infinity, rows: Infinity };

/** The whole picture: at most as many lines as the terminal has rows, each no wider than it. */
export function pictureLines(scene: Scene, out: Output, { columns: wide, rows: high }: Size): readonly string[] {
  const { top, foot } = scene;
  const fitted = (text: string) => (wide === Infinity ? text : cut(text, wide));
  const head = [title(scene, out, wide), ...headLines(top, out, fitted)].slice(0, Math.max(2, Math.floor(high / 2)));
  const room = high - head.length - (foot === '' ? 0 : 1);
  const body = shared(
    [
      section(out, top.runs, { columns: runColumns(out), wide, least: 8 }),
      section(out, top.retries, { columns: retryColumns(), wide, least: 4 }),
      section(out, top.workers, { columns: workerColumns(out, Date.parse(top.at)), wide, least: 5 }),
    ].filter(({ wanted }) => wanted > 0),
    room,
  );
  const lines = [...head, ...body].slice(0, Math.max(1, foot === '' ? high : high - 1));
  if (foot === '') return lines;
  // At the bottom of the terminal, so that it stays where it is.
  const blank = high === Infinity ? 0 : high - 1 - lines.length;
  return [...lines, ...Array.from({ length: blank }, () => ''), styled(out, 'dim', fitted(foot))].slice(0, high);
}

function title({ top, server, awayMs }: Scene, out: Output, wide: number): string {
  const clock = `${top.at.slice(11, 19)}Z`;
  const said = awayMs === undefined ? clock : `no answer for ${clockText(awayMs)}, trying again; as of ${clock}`;
  // Who looks knows what this is: on a narrow terminal the rest matters more.
  const name = cut(`skep top  ${printable(server)}`, Math.min(wide, Math.max(8, wide - width(said) - 2)));
  const room = wide - width(name);
  const rest = room < 3 ? '' : cut(`  ${said}`, room);
  return styled(out, 'bold', name) + (awayMs === undefined ? rest : styled(out, 'red', rest));
}

interface Section {
  /** Lines, with the blank one before it; 0: there is nothing to show. */
  readonly wanted: number;
  /** With fewer it is left out, unless it is the first. */
  readonly least: number;
  readonly lines: (room: number) => readonly string[];
}

interface Shown<Row> {
  readonly columns: readonly GridColumn<Row>[];
  readonly wide: number;
  readonly least: number;
}

function section<Row>(out: Output, rows: readonly Row[], { least, ...grid }: Shown<Row>): Section {
  const wanted = rows.length === 0 ? 0 : rows.length + 2;
  return {
    wanted,
    least: Math.min(least, wanted),
    lines(room) {
      if (room >= wanted) return ['', ...gridLines(out, rows, grid)];
      const shown = room - 3;
      if (shown < 1) return [];
      const more = `… ${rows.length === topRowsMax ? 'at least ' : ''}${rows.length - shown} more`;
      return ['', ...gridLines(out, rows.slice(0, shown), grid), styled(out, 'dim', cut(more, grid.wide))];
    },
  };
}

/** Each has its least, the last left out where that is too much; what is left goes to the first, then to the second. */
function shared(sections: readonly Section[], room: number): readonly string[] {
  const taken = sections.reduce((sum, { least }) => sum + least, 0);
  if (sections.length > 1 && taken > room) return shared(sections.slice(0, -1), room);
  let left = room - taken;
  return sections.flatMap(({ wanted, least, lines }) => {
    const more = Math.min(wanted - least, Math.max(0, left));
    left -= more;
    return lines(Math.min(least + more, room));
  });
}
