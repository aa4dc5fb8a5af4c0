import type { Output } from '../../context.ts';
import { createTable } from '../../output/table.ts';
import { printable, styled } from '../../output/text.ts';
import type { Figure } from './figures/index.ts';
import type { Outcome } from './measure.ts';
import { quantile } from './ways/timing.ts';
import type { Measured } from './ways/index.ts';

export interface Machine {
  /** As SKEP_SANDBOX names it. */
  readonly kind: string;
  readonly cores: number;
  /** Of the minute before. */
  readonly load: number;
}

export interface Report extends Outcome {
  readonly machine: Machine;
  readonly count: number;
  /** What was started, for people. */
  readonly program: string;
  /** Of the provider. */
  readonly facts: Readonly<Record<string, string>>;
}

/** A load from which on other work shows in every figure. */
const busyShare = 0.5;

function isBusy({ load, cores }: Machine): boolean {
  return load > cores * busyShare;
}

export function printReport(out: Output, report: Report): void {
  const { machine, count, program, ways, figures, lacking } = report;
  const facts = Object.entries(report.facts).filter(([name]) => name !== 'folder');
  out.write(`Sandboxes of kind ${machine.kind} on ${machine.cores} cores, ${count} of each. Started in them: ${program}\n`);
  out.write(`${facts.map(([name, value]) => `${name.replaceAll('_', ' ')}: ${printable(value)}`).join('; ')}\n`);
  if (isBusy(machine)) {
    const words = `The machine is busy: a load of ${machine.load.toFixed(1)} on ${machine.cores} cores. All times are too long; only their ratios say something`;
    out.write(`${styled(out, 'yellow', words)}\n`);
  }
  out.write('\n');
  createTable<Measured>(out, [
    { title: 'STARTED BY', value: ({ name }) => name },
    { title: 'P50', value: ({ startMs }) => shownMs(quantile(startMs, 0.5)) },
    { title: 'P99', value: ({ startMs }) => shownMs(quantile(startMs, 0.99)) },
    { title: 'OF', value: ({ startMs }) => startMs.length },
    { title: 'AT ONCE', value: ({ atOnce }) => `${atOnce.count} in ${shownMs(atOnce.wallMs)}` },
    {
      title: 'MEMORY OF EACH',
      value: ({ atOnce: { memoryKb } }) => (memoryKb === undefined ? null : `${memoryKb.toFixed(0)} KB`),
    },
    { title: 'END P50', value: ({ endMs }) => shownMs(quantile(endMs, 0.5)) },
  ]).add(ways);
  out.write('\n');
  createTable<Figure>(out, [
    { title: 'FIGURE', value: ({ name }) => name },
    { title: 'HERE', value: shownFigure },
    { title: 'GOAL', value: goalText, paint: (text, figure) => styled(out, isMet(figure) ? 'green' : 'yellow', text) },
    { title: '', value: ({ note = '' }) => note },
  ]).add(figures);
  for (const { name, why } of lacking) out.write(`not here: ${printable(name)}: ${printable(why)}\n`);
}

/** The same for programs; times in milliseconds, in the order in which they were measured. */
export function documentOf({ machine, count, program, facts, ways, figures, lacking }: Report): object {
  return {
    machine: { ...machine, is_busy: isBusy(machine) },
    count,
    program,
    facts,
    ways: ways.map(({ name, isOurs, startMs, endMs, atOnce }) => ({
      ...{ name, is_ours: isOurs, start_ms: startMs.map(rounded), end_ms: endMs.map(rounded) },
      at_once: {
        ...{ count: atOnce.count, wall_ms: rounded(atOnce.wallMs), start_ms: atOnce.startMs.map(rounded) },
        memory_kb: atOnce.memoryKb === undefined ? null : rounded(atOnce.memoryKb),
      },
    })),
    figures: figures.map(({ name, unit, value, goal, note }) => ({
      ...{ name, unit, value: rounded(value), goal: goal ?? null, note: note ?? null },
    })),
    lacking,
  };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

export function shownMs(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms >= 100 ? ms.toFixed(0) : Number(ms.toPrecision(2))} ms`;
}

function shownFigure({ unit, value }: Figure): string {
  return unit === 'ms' ? shownMs(value) : `${value.toFixed(0)} ${unit}`.trimEnd();
}

function isMet({ value, goal }: Figure): boolean {
  return goal === undefined || value <= goal;
}

function goalText(figure: Figure): string {
  const { goal, unit } = figure;
  return goal === undefined ? '' : `≤ ${goal} ${unit}, ${isMet(figure) ? 'met' : 'missed'}`;
}
