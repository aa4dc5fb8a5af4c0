import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Fault, faults, isClean, type Verdict } from './oracle.ts';

/** What was done to Skep, and what came of it; a row of bench/chaos. */
export interface Proof {
  readonly what: string;
  /** How often. */
  readonly count: number;
  /** Of how many different kinds, such as failpoints. */
  readonly kinds?: number;
  readonly verdicts: readonly Verdict[];
  /** From when nothing went wrong any more until all was clean, each time it was looked at. */
  readonly cleanMs: readonly number[];
}

interface Row extends Readonly<Record<Fault, number>> {
  readonly what: string;
  readonly count: number;
  readonly kinds?: number;
  readonly clean_s_median: number;
  readonly clean_s_max: number;
  readonly at: string;
}

const folder = join(import.meta.dirname, '../../bench/chaos');

/** The time that Skep has for coming clean once nothing goes wrong any more: twice the lease and 10 s. */
function cleanMsMax(leaseMs: number): number {
  return 2 * leaseMs + 10_000;
}

/** So long a look goes on. A machine that has other work to do is given more: CHAOS_PATIENCE times as much, 6 where no proof is kept. */
export function patienceMs(leaseMs: number): number {
  return cleanMsMax(leaseMs) * (isProof() ? Number(process.env['CHAOS_PATIENCE'] ?? 1) : 6);
}

function isProof(): boolean {
  return expect.getState().testPath?.endsWith('.prove.ts') === true;
}

/** Nothing is lost, doubled, stuck or left behind. Of a proof a row is kept before that is said. */
export function conclude(proof: Proof): void {
  if (isProof()) keep(rowOf(proof));
  expect(proof.verdicts.filter(verdict => !isClean(verdict))).toEqual([]);
}

function rowOf({ what, count, kinds, verdicts, cleanMs }: Proof): Row {
  const sorted = cleanMs.toSorted((one, other) => one - other);
  const seconds = (ms: number | undefined): number => Math.round((ms ?? 0) / 100) / 10;
  const sum = (fault: Fault): number => verdicts.reduce((total, verdict) => total + verdict[fault].length, 0);
  return {
    ...{ what, count, ...(kinds === undefined ? {} : { kinds }) },
    ...(Object.fromEntries(faults.map(fault => [fault, sum(fault)])) as Record<Fault, number>),
    clean_s_median: seconds(sorted[Math.floor(sorted.length / 2)]),
    clean_s_max: seconds(sorted.at(-1)),
    at: new Date().toISOString().slice(0, 10),
  };
}

/** One of the same name is replaced: what stands there is the last run of each. */
function keep(row: Row): void {
  const file = join(folder, 'report.json');
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { rows: Row[] }).rows : [];
  const rows = [...before.filter(({ what }) => what !== row.what), row].toSorted((one, other) =>
    one.what < other.what ? -1 : 1,
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ rows }, null, 2)}\n`);
  writeFileSync(join(folder, 'README.md'), page(rows));
}

function page(rows: readonly Row[]): string {
  const cells = ({ what, count, kinds, ...row }: Row): string => {
    const times = kinds === undefined ? `${count}` : `${count}, ${kinds} kinds`;
    return `| ${what} | ${times} | ${faults.map(fault => row[fault]).join(' | ')} | ${row.clean_s_median} | ${row.clean_s_max} | ${row.at} |`;
  };
  return `# What was done to Skep, and what came of it

Made by \`npm run prove -- test/chaos\` from report.json: do not edit. Real processes on one machine; each time the oracle of
test/chaos/oracle.ts looked at the database, the published branches and the machine. *Clean* is the time from when nothing went wrong any
more until all was done and nothing was left, in seconds; it has to be at most twice the lease (4 s in these tests) and 10 s; where a line is half-open,
the 15 s come first after which a statement without an answer counts as lost.

| what | times | lost | doubled | stuck | left behind | clean, median | clean, longest | when |
|---|---:|---:|---:|---:|---:|---:|---:|---|
${rows.map(row => cells(row)).join('\n')}
`;
}
