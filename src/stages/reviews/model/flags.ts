import type { Check } from '../../../../contract/projects.ts';
import type { Flag, TestCounts } from '../../../../contract/reviews.ts';
import { filesNamedBy } from './watched/named-files.ts';
import { changedSteering, readPackageJson } from './ecosystems/package-json.ts';
import { oneLine } from './plain-text.ts';
import { isTestData, normalPath, watchedAs } from './watched/places.ts';

export interface ChangedFile {
  readonly path: string;
  readonly status: 'added' | 'modified' | 'deleted' | 'renamed';
  /** Where a renamed file was. */
  readonly oldPath?: string;
}

/** A submission against the commit that it started from. The counts are by the name of the check; null is one that is unknown. */
export interface Submission {
  readonly changed: readonly ChangedFile[];
  readonly checks: readonly Check[];
  /** Texts by path, on each side: those that `filesToRead` and `filesToCompare` ask for. */
  readonly baseFiles: ReadonlyMap<string, string>;
  readonly headFiles: ReadonlyMap<string, string>;
  readonly baseTests?: ReadonlyMap<string, TestCounts | null>;
  readonly candidateTests?: ReadonlyMap<string, TestCounts | null>;
}

const flagsMax = 50;
const filesToCompareMax = 50;
/** What is cut off when there is too much is what matters least. */
const order: readonly Flag['kind'][] = ['fewer_tests', 'checks', 'ci', 'tests', 'dependencies'];

/** The changed files whose text `flagChanges` compares, to be read on both sides. */
export function filesToCompare(changed: readonly ChangedFile[]): string[] {
  return changed
    .map(({ path }) => path)
    .filter(isPackageJson)
    .slice(0, filesToCompareMax);
}

/**
 * What a person should look at before the work is merged: changes of what judges the work, and so could make it look better than
 * it is. New tests are welcome and no flag. Without checks nothing can steer them. At most 51 flags; the last may stand for more.
 */
export function flagChanges(submission: Submission): Flag[] {
  const isNamed = filesNamedBy(submission.checks, submission.baseFiles);
  const flags = submission.changed.flatMap(file => flagFile(file, submission, isNamed));
  const sorted = [...flagFewerTests(submission), ...flags].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  const next = sorted[flagsMax];
  if (next === undefined) return sorted;
  const more = { kind: next.kind, path: null, what: `${sorted.length - flagsMax} more changes are of this sort` };
  return [...sorted.slice(0, flagsMax), more];
}

function flagFile(file: ChangedFile, submission: Submission, isNamed: (path: string) => boolean): Flag[] {
  const steers = submission.checks.length > 0;
  const paths = [file.path, ...(file.oldPath === undefined ? [] : [file.oldPath])];
  const flag = (kind: Flag['kind'], what: string): Flag[] => [{ kind, path: file.path, what }];
  if (steers && paths.some(isNamed)) return flag('checks', `${happened(file)}, and the checks run it`);
  const kinds = paths.map(watchedAs);
  if (kinds.includes('dependencies')) return flag('dependencies', `${happened(file)}, which is the code of others`);
  if (kinds.includes('ci')) return flag('ci', `${happened(file)}, which tells the CI what to do`);
  if (steers && paths.some(isPackageJson)) {
    const what = judgePackageJson(file, submission);
    if (what !== undefined) return flag('checks', what);
  }
  if (steers && kinds.includes('checks')) return flag('checks', `${happened(file)}, which steers the checks`);
  // A new test may come from anywhere; only what was a test before is one that can be weakened.
  const was = watchedAs(file.oldPath ?? file.path);
  return file.status !== 'added' && was === 'tests' ? flag('tests', `${happened(file)}, a test that was there before`) : [];
}

function happened({ path, oldPath, status }: ChangedFile): string {
  if (status === 'renamed' && oldPath !== undefined) return `\`${oneLine(oldPath)}\` was renamed to \`${oneLine(path)}\``;
  return `\`${oneLine(path)}\` was ${status}`;
}

/** Undefined where only what steers no test has changed, such as the dependencies. */
function judgePackageJson(file: ChangedFile, { baseFiles, headFiles }: Submission): string | undefined {
  if (file.status === 'renamed') return `${happened(file)}, which steers the checks`;
  const base = file.status === 'added' ? '{}' : baseFiles.get(file.path);
  const head = file.status === 'deleted' ? '{}' : headFiles.get(file.path);
  const [before, after] = [base, head].map(text => readPackageJson(text ?? ''));
  if (before === undefined || after === undefined)
    return `${happened(file)}, and what it changes cannot be told: it is not a JSON object that was read on both sides`;
  const fields = changedSteering(before, after);
  if (fields.length === 0) return undefined;
  return `${happened(file)}, which changes ${fields.map(name => `"${name}"`).join(', ')}: that steers the checks`;
}

function isPackageJson(path: string): boolean {
  return /(?:^|\/)package\.json$/.test(normalPath(path)) && watchedAs(path) !== 'dependencies' && !isTestData(path);
}

function flagFewerTests({ checks, baseTests, candidateTests }: Submission): Flag[] {
  if (baseTests === undefined || candidateTests === undefined) return [];
  return checks.flatMap(({ name }) => {
    const base = baseTests.get(name) ?? undefined;
    const what = base === undefined ? undefined : judgeCounts(base, candidateTests.get(name) ?? undefined);
    return what === undefined ? [] : [{ kind: 'fewer_tests' as const, path: null, what: `\`${oneLine(name)}\` ${what}` }];
  });
}

function judgeCounts(base: TestCounts, candidate: TestCounts | undefined): string | undefined {
  const ran = (counts: TestCounts) => counts.total - counts.skipped;
  if (candidate === undefined) return `no longer tells how many tests it ran; on the base commit it ran ${ran(base)}`;
  if (ran(candidate) < ran(base)) return `ran fewer tests than on the base commit: ${ran(candidate)} instead of ${ran(base)}`;
  if (candidate.skipped > base.skipped)
    return `skipped more tests than on the base commit: ${candidate.skipped} instead of ${base.skipped}`;
  return undefined;
}
