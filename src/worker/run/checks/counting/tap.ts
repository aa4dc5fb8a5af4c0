import type { TestCounts } from '../../../../../contract/reviews.ts';
import { countsOf } from './counts.ts';
import type { Counted } from './counts.ts';

/** Test Anything Protocol, as node:test, tape, node-tap, ava and mocha print it; the spec reporter of node:test ends the same way. */
export function countTap(lines: readonly string[], cut: boolean): Counted {
  const totals = countNodeTap(lines);
  if (totals.length > 0) return totals;
  const found: TestCounts[] = [];
  let section = emptySection();
  for (const [i, line] of lines.entries()) {
    readPoint(section, line);
    if (!/^[#ℹ] tests +\d+$/.test(line)) continue;
    const summary = readSummary(lines, i);
    // mocha writes its plan behind the summary.
    if (section.plan === undefined) readPoint(section, lines[i + summary.size] ?? '');
    found.push(countSection(section, summary));
    section = emptySection();
  }
  // What has a plan and no summary is counted point by point.
  if (found.length > 0 || section.plan === undefined) return found;
  if (cut && section.points < section.plan) return 'unknown';
  return [countsOf({ total: section.points, failed: section.failed, skipped: section.skipped })];
}

/** node-tap: `# { total: 6, pass: 3, fail: 1, todo: 1, skip: 1 }`, which leaves out what is 0. Its reporters may draw it twice. */
function countNodeTap(lines: readonly string[]): TestCounts[] {
  return [...new Set(lines.filter(line => /^# \{ total: \d+/.test(line)))].map(line => {
    const count = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0);
    return countsOf({ total: count('total'), failed: count('fail'), skipped: count('todo') + count('skip') });
  });
}

interface Section {
  plan: number | undefined;
  points: number;
  failed: number;
  skipped: number;
}

function emptySection(): Section {
  return { plan: undefined, points: 0, failed: 0, skipped: 0 };
}

/** Points and plan of the top level only: those of subtests are indented. */
function readPoint(section: Section, line: string): void {
  const plan = /^1\.\.(\d+)\b/.exec(line)?.[1];
  if (plan !== undefined) section.plan = Number(plan);
  if (!/^(?:not )?ok\b/.test(line)) return;
  section.points += 1;
  if (/ # ?(?:skip|todo)\b/i.test(line)) section.skipped += 1;
  else if (line.startsWith('not')) section.failed += 1;
}

interface Summary {
  readonly counts: ReadonlyMap<string, number>;
  /** Lines. */
  readonly size: number;
}

function readSummary(lines: readonly string[], start: number): Summary {
  const counts = new Map<string, number>();
  for (const line of lines.slice(start, start + summaryLinesMax)) {
    const [, name, count] = /^[#ℹ] (tests|suites|pass|fail|cancelled|skipped|skip|todo) +(\d+)$/.exec(line) ?? [];
    if (name === undefined) break;
    counts.set(name, Number(count));
  }
  return { counts, size: counts.size };
}

const summaryLinesMax = 10;

function countSection(section: Section, { counts }: Summary): TestCounts {
  const count = (name: string) => counts.get(name) ?? 0;
  // node:test counts everything, and its points of the top level may be suites.
  if (counts.has('cancelled'))
    return countsOf({
      total: count('tests'),
      failed: count('fail') + count('cancelled'),
      skipped: count('skipped') + count('todo'),
    });
  // The others leave out what was skipped, or count it as passed; their points don't.
  if (section.points === section.plan && section.points >= count('tests'))
    return countsOf({ total: section.points, failed: section.failed, skipped: section.skipped });
  return countsOf({
    total: Math.max(count('tests'), section.plan ?? 0),
    failed: count('fail'),
    skipped: Math.max(count('skip') + count('todo'), section.skipped),
  });
}
