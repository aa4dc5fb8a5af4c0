import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Figure } from './harness/bench.ts';

export interface Result {
  readonly name: string;
  readonly date: string;
  readonly node: string;
  readonly postgres: string | null;
  readonly machine: Machine;
  readonly figures: readonly Figure[];
}

/** What the figures hang on. The load is that of the minute before: a busy machine shows in every figure but the ratios. */
interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memory_gb: number;
  readonly load_before: number;
}

/** Medians by benchmark and figure. */
type Baseline = Readonly<Record<string, Readonly<Record<string, number>>>>;

const baselinePath = join(import.meta.dirname, 'baseline.json');
const resultFolder = join(import.meta.dirname, 'results');

export function machine(): Machine {
  const [load = 0] = loadavg();
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model ?? 'unknown',
    memory_gb: Math.round(totalmem() / 1024 ** 3),
    load_before: Math.round(load * 100) / 100,
  };
}

/** Prints the table, beside the baseline, and writes bench/results/<name>.json. */
export function publish(result: Result): void {
  const known = readBaseline()[result.name] ?? {};
  const rows = result.figures.map(figure => [
    figure.name,
    shown(figure.median),
    `${shown(figure.min)}–${shown(figure.max)}`,
    figure.unit,
    String(figure.rounds),
    goalText(figure),
    compared(figure.median, known[figure.name]),
  ]);
  const { machine, node, postgres } = result;
  console.log(
    `\n${result.name}: ${machine.cores} cores, load ${machine.load_before}, Node ${node}, PostgreSQL ${postgres ?? '-'}`,
  );
  console.log(table([['figure', 'median', 'min–max', 'unit', 'rounds', 'goal', '÷ baseline'], ...rows]));
  mkdirSync(resultFolder, { recursive: true });
  writeFileSync(join(resultFolder, `${result.name}.json`), `${JSON.stringify(result, null, 2)}\n`);
}

/** From now on runs are compared with this one. */
export function keepAsBaseline({ name, figures }: Result): void {
  const medians = Object.fromEntries(figures.map(figure => [figure.name, Number(shown(figure.median))]));
  writeFileSync(baselinePath, `${JSON.stringify({ ...readBaseline(), [name]: medians }, null, 2)}\n`);
}

function readBaseline(): Baseline {
  try {
    return JSON.parse(readFileSync(baselinePath, 'utf8')) as Baseline;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw error;
  }
}

/** Only told: a benchmark fails for what is broken, never for what is slow. */
function goalText({ median, goal }: Figure): string {
  if (goal === undefined) return '';
  const isMet = goal.is === 'at least' ? median >= goal.value : median <= goal.value;
  return `${goal.is === 'at least' ? '≥' : '≤'} ${goal.value} ${isMet ? 'met' : 'MISSED'}`;
}

function compared(median: number, known: number | undefined): string {
  return known === undefined || known === 0 ? '' : (median / known).toFixed(2);
}

/** Three digits that say something. */
function shown(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)));
  const isText = (column: number) => column === 0 || column === 3 || column === 5;
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (isText(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
  return rows.map(row => line(row).trimEnd()).join('\n');
}
