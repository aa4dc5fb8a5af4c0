import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { comeClean, type Fault, faults, isClean, type Scene, type Verdict } from './oracle.ts';

/** What was done to Skep, and what came of it; a row of bench/chaos. */
export interface Proof {
  readonly what: string;
  /** How often. */
  readonly count: number;
  /** Of how many different kinds, such as failpoints. */
  readonly kinds?: number;
  readonly verdicts: readonly Verdict[];
  /** From when nothing went wrong any more until all was clean, each time it was looked at; empty where only what changed is judged. */
  readonly cleanMs: readonly number[];
  /** The longest that it may take. */
  readonly withinMs: number;
}

interface Row extends Readonly<Record<Fault, number>> {
  readonly what: string;
  readonly count: number;
  readonly kinds?: number;
  readonly clean_s_median: number | null;
  readonly clean_s_max: number | null;
  readonly within_s: number;
  readonly at: string;
}

const folder = join(import.meta.dirname, '../../bench/chaos');

/** The time that Skep has for coming clean once nothing goes wrong any more: twice the lease and 10 s. */
function cleanMsMax(leaseMs: number): number {
  return 2 * leaseMs + 10_000;
}

/** A machine that has other work to do is given more time: CHAOS_PATIENCE times as much, and 6 where no proof is kept. */
export function patience(): number {
  return isProof() ? Number(process.env['CHAOS_PATIENCE'] ?? 1) : 6;
}

/**
 * So long a look goes on, which its row then says. `noticedMs`: what comes before anything can be mended, such as a wait that has no answer.
 */
export function patienceMs(leaseMs: number, noticedMs = 0): number {
  return noticedMs + cleanMsMax(leaseMs) * patience();
}

function isProof(): boolean {
  return expect.getState().testPath?.endsWith('.prove.ts') === true;
}

/** Before it is tried: a row of an earlier time does not stand for one that came to no end. */
export function begin(what: string): void {
  if (isProof()) write(rowsBut(what));
}

/** Nothing is lost, doubled, stuck or left behind, and in time. Of a proof a row is kept before that is said. */
export function conclude(proof: Proof): void {
  if (isProof()) keep(rowOf(proof));
  expect(proof.verdicts.filter(verdict => !isClean(verdict))).toEqual([]);
  expect(proof.cleanMs.filter(ms => ms > proof.withinMs + lookMsMax)).toEqual([]);
}

/** For the end of a test that has no row: soon nothing is lost, doubled, stuck or left behind. */
export async function expectClean(scene: Scene, withinMs: number): Promise<void> {
  const { verdict } = await comeClean(scene, withinMs);
  expect(verdict).toEqual({ lost: [], doubled: [], stuck: [], leaked: [] });
}

/** The last look, which begins in time, may end so much later. */
const lookMsMax = 2_000;

function rowOf({ what, count, kinds, verdicts, cleanMs, withinMs }: Proof): Row {
  const sorted = cleanMs.toSorted((one, other) => one - other);
  const seconds = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms / 100) / 10);
  const sum = (fault: Fault): number => verdicts.reduce((total, verdict) => total + verdict[fault].length, 0);
  return {
    ...{ what, count, ...(kinds === undefined ? {} : { kinds }) },
    ...(Object.fromEntries(faults.map(fault => [fault, sum(fault)])) as Record<Fault, number>),
    clean_s_median: seconds(sorted[Math.floor(sorted.length / 2)]),
    clean_s_max: seconds(sorted.at(-1)),
    within_s: withinMs / 1_000,
    at: new Date().toISOString().slice(0, 10),
  };
}

/** One of the same name is replaced: what stands there is the last run of each. */
function keep(row: Row): void {
  write([...rowsBut(row.what), row].toSorted((one, other) => (one.what < other.what ? -1 : 1)));
}

const file = join(folder, 'report.json');

function rowsBut(what: string): Row[] {
  const rows = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { rows: Row[] }).rows : [];
  return rows.filter(row => row.what !== what);
}

function write(rows: readonly Row[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ rows }, null, 2)}\n`);
  writeFileSync(join(folder, 'README.md'), page(rows));
}

function page(rows: readonly Row[]): string {
  const cells = ({ what, count, kinds, ...row }: Row): string => {
    const times = kinds === undefined ? `${count}` : `${count}, ${kinds} kinds`;
    const isTimed = row.clean_s_max !== null;
    const clean = isTimed ? [row.clean_s_median, row.clean_s_max, row.within_s] : ['–', '–', '–'];
    return `| ${[what, times, ...faults.map(fault => row[fault]), ...clean, row.at].join(' | ')} |`;
  };
  return `# What was done to Skep, and what came of it

Made by \`npm run prove -- test/chaos\` from report.json: do not edit. Real processes on one machine; each time the oracle of
test/chaos/oracle.ts looked at the database, the published branches and the machine. *Clean* is the time from when nothing went wrong any
more until all was done and nothing was left, in seconds; it has to be at most twice the lease (4 s in most of these tests) and 10 s. Where the
line to the database is half-open, the 15 s come first after which a statement without an answer counts as lost; a worker whose disk was full
again and again asks for work once a minute at last. A worker is stopped and a zombie writes where something is watched all the time: what it
says is refused, and nothing is different after it.

| what | times | lost | doubled | stuck | left behind | clean, median | clean, longest | within | when |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---|
${rows.map(row => cells(row)).join('\n')}
`;
}
