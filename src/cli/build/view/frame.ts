import type { Output, Size } from '../../context.ts';
import { cut, painted, printable, styled, width } from '../../output/text.ts';
import { activeStatuses } from '../follow/board.ts';
import type { Row } from '../follow/board.ts';
import { clockText, count, duration, roughly, runWord, statusWord } from './words.ts';

export interface Scene {
  readonly name: string;
  /** Said behind the name, and never cut. */
  readonly note: string;
  readonly rows: readonly Row[];
  /** What happens before there is work, such as the checks on the base commit; undefined: the tickets speak. */
  readonly stage: string | undefined;
  /** The newest line of what a run writes, by the run's id. */
  readonly outputs: ReadonlyMap<string, string>;
  /** Milliseconds since the epoch, by the server's clock. */
  readonly now: number;
  readonly elapsed: number;
  readonly left: number | undefined;
  /** Said at the bottom. */
  readonly foot: string;
}

const narrowest = 10;

/** The whole live view: at most as many lines as the terminal has rows, less one, each no wider than it. */
export function frameLines(scene: Scene, out: Output, { columns, rows: height }: Size): readonly string[] {
  const wide = Math.max(narrowest, columns - 1);
  const room = Math.max(1, height - 5);
  const { shown, hidden } = chosen(scene.rows, room);
  const idWidth = Math.max(7, ...shown.map(({ id }) => id.length));
  // Out of the order of the graph an indent says nothing.
  const indentOf = hidden.length === 0 ? graphIndent : () => 0;
  const deepest = Math.max(0, ...shown.map(row => indentOf(row) + width(row.title)));
  const titleWidth = Math.min(deepest, Math.max(12, Math.floor(wide * 0.45)));
  return [
    heading(scene, out, wide),
    '',
    ...shown.map(row => line(scene, { row, out, wide, idWidth, titleWidth, indent: indentOf(row) })),
    ...(hidden.length === 0 ? [] : [styled(out, 'dim', cut(`… ${hidden.length} more: ${tally(hidden)}`, wide))]),
    styled(out, 'dim', cut(scene.foot, wide)),
  ].slice(0, Math.max(1, height - 1));
}

/** What matters most stands first: a narrow terminal cuts the end off. */
function heading({ name, note, rows, stage, elapsed, left }: Scene, out: Output, wide: number): string {
  const open = rows.filter(({ status }) => status !== 'completed');
  const merged = `${rows.length - open.length} of ${rows.length} merged`;
  const time = `${clockText(elapsed)}${left === undefined ? '' : `, ${roughly(left)} left`}`;
  const facts = stage === undefined ? [merged, time, tally(open)] : [stage, time];
  const title = cut(cut(printable(name), Math.max(10, Math.floor(wide / 3))) + note, wide);
  const rest = cut(`  ${facts.join('  ')}`.trimEnd(), Math.max(0, wide - width(title)));
  return `${styled(out, 'bold', title)}${rest}`;
}

/** `2 working, 1 checking, 14 blocked`; what asks for attention first. */
export function tally(rows: readonly Row[]): string {
  const counts = new Map<string, number>();
  for (const row of [...rows].sort((a, b) => urgency(a) - urgency(b))) {
    counts.set(statusWord(row), (counts.get(statusWord(row)) ?? 0) + 1);
  }
  return [...counts].map(([word, number]) => `${number} ${word}`).join(', ');
}

/** All in the order of the graph where there is room; otherwise what is at work, what went wrong, what comes next. */
function chosen(rows: readonly Row[], room: number): { shown: readonly Row[]; hidden: readonly Row[] } {
  if (rows.length <= room + 1) return { shown: rows, hidden: [] };
  const sorted = [...rows].sort((a, b) => urgency(a) - urgency(b) || recency(a, b));
  const shown = new Set(sorted.slice(0, room));
  return { shown: sorted.slice(0, room), hidden: rows.filter(row => !shown.has(row)) };
}

const urgencies: Readonly<Record<string, number>> = {
  waiting: 1,
  failed: 2,
  ready: 3,
  completed: 4,
  blocked: 5,
  pending: 5,
  cancelled: 6,
};

function urgency({ status }: Row): number {
  return activeStatuses.has(status) ? 0 : (urgencies[status] ?? 5);
}

/** What was merged last stands first; all else stays in the order of the graph. */
function recency(a: Row, b: Row): number {
  return a.status === 'completed' && b.status === 'completed' ? (b.ended ?? 0) - (a.ended ?? 0) : 0;
}

interface Layout {
  readonly row: Row;
  readonly out: Output;
  readonly wide: number;
  readonly idWidth: number;
  readonly titleWidth: number;
  readonly indent: number;
}

function line(scene: Scene, { row, out, wide, idWidth, titleWidth, indent }: Layout): string {
  const status = statusWord(row).padEnd(statusWidth);
  const time = timeOf(row, scene.now).padStart(timeWidth);
  const title = cut(' '.repeat(indent) + printable(row.title), titleWidth);
  const head = `${row.id.padEnd(idWidth)}  `;
  const middle = `  ${time}  ${title}${' '.repeat(Math.max(0, titleWidth - width(title)))}`;
  const room = wide - width(head) - statusWidth - width(middle);
  const whole = `${head}${painted(out, row.status, status)}${middle}`;
  if (room < 0) return cut(`${head}${status}${middle}`, wide);
  const detail = room < 6 ? '' : cut(`  ${detailOf(row, scene)}`, room).trimEnd();
  return `${whole}${styled(out, 'dim', detail)}`.trimEnd();
}

const statusWidth = 9;
const timeWidth = 6;

/** Deeper than this nothing is indented further, or a long chain would leave the screen. */
function graphIndent({ depth }: Row): number {
  return 2 * Math.min(depth, 6);
}

function timeOf(row: Row, now: number): string {
  if (activeStatuses.has(row.status)) return row.begun === undefined ? '' : clockText(now - row.begun);
  return row.begun === undefined || row.ended === undefined ? '' : duration(row.ended - row.begun);
}

function detailOf(row: Row, { outputs }: Scene): string {
  if (row.run !== undefined) {
    const said = outputs.get(row.run.id);
    return said === undefined || said === '' ? runWord(row.run) : `${runWord(row.run)}: ${said}`;
  }
  if (row.status === 'completed')
    return [row.proof === 'unproven' ? 'unproven' : '', attemptsText(row)].filter(Boolean).join(', ');
  if (row.status === 'blocked' || row.status === 'pending') return `<- ${row.needs.join(', ')}`;
  return printable(row.reason ?? '');
}

function attemptsText({ attempts }: Row): string {
  return attempts > 1 ? count(attempts, 'attempt') : '';
}
