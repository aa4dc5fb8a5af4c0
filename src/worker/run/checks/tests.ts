import type { TestCounts } from '../../../../contract/reviews.ts';
import { countsOf } from './counting/counts.ts';
import type { Counted } from './counting/counts.ts';
import { countTap } from './counting/tap.ts';
import { plainText } from './plain-text.ts';

/**
 * How many tests ran, from what the runner printed: the sum over all runners in it, since one check may start several. Tests
 * that are expected to fail or are yet to be written count as skipped. Null where the output does not tell. `cut`: the head of
 * the output is missing, so that what is counted line by line cannot be known.
 */
export function countTests(output: string, { cut = false }: { readonly cut?: boolean } = {}): TestCounts | null {
  const lines = plainText(output)
    .split('\n')
    .map(line => line.trimEnd());
  const counted = runners.map(count => count(lines, cut));
  if (counted.includes('unknown')) return null;
  const all = counted.flatMap(one => (one === 'unknown' ? [] : one));
  // No project has so many: what printed it is no runner.
  if (all.length === 0 || all.some(({ total }) => total > testsMax)) return null;
  const sum = (of: (counts: TestCounts) => number) => all.reduce((total, counts) => total + of(counts), 0);
  return { total: sum(c => c.total), passed: sum(c => c.passed), failed: sum(c => c.failed), skipped: sum(c => c.skipped) };
}

const testsMax = 10_000_000;

const runners: readonly ((lines: readonly string[], cut: boolean) => Counted)[] = [
  countTap,
  countJest,
  countVitest,
  countMocha,
  countAva,
  countSpecs,
  countPytest,
  countUnittest,
  countGo,
  countCargo,
  countMaven,
  countGradle,
];

/** `Tests:       1 failed, 1 skipped, 1 todo, 2 passed, 5 total` */
function countJest(lines: readonly string[]): Counted {
  return matches(lines, /^Tests: +(\d.* total)$/).map(([, text = '']) => ofWords(text));
}

/** `      Tests  1 failed | 2 passed | 1 skipped | 1 todo (5)` */
function countVitest(lines: readonly string[]): Counted {
  return matches(lines, /^ *Tests {2}(\d.*) \((\d+)\)$/).map(([, text = '', total]) => ofWords(`${text}, ${total} total`));
}

/** `  1 passing (3ms)`, then the others when there are any. */
function countMocha(lines: readonly string[]): Counted {
  return lines.flatMap((line, i) =>
    /^ {2}\d+ passing \(/.test(line) ? [ofWords(linesFrom(lines, i, /^ {2}\d+ (?:passing|pending|failing)\b/).join())] : [],
  );
}

/** `  2 tests passed`, then the others. Where a test failed, ava does not say how many passed: unknown. */
function countAva(lines: readonly string[]): Counted {
  const more = /^ {2}\d+ (?:tests? (?:passed|skipped|todo)|known failures?)$/;
  return lines.flatMap((line, i) =>
    /^ {2}\d+ tests? passed$/.test(line)
      ? [
          ofWords(
            linesFrom(lines, i, more)
              .join()
              .replaceAll(/tests? |known /g, '')
              .replaceAll(/failures?/g, 'xfailed'),
          ),
        ]
      : [],
  );
}

/** Jasmine, RSpec and Bats: `4 specs, 1 failure, 2 pending specs` */
function countSpecs(lines: readonly string[]): Counted {
  const line = /^(\d+) (?:specs?|examples?|tests?), (\d+) failures?(?:, (\d+) (?:pending|skipped))?/;
  return matches(lines, line).map(([, total, failed, skipped]) =>
    countsOf({ total: Number(total), failed: Number(failed), skipped: Number(skipped ?? 0) }),
  );
}

/** `=== 3 failed, 2 passed, 1 skipped, 1 xfailed in 0.60s ===`, with `-q` without the bars. */
function countPytest(lines: readonly string[]): Counted {
  const part = /^(?:no tests ran|\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|rerun|subtests .+))$/;
  return matches(lines, /^(?:=+ )?(no tests ran.*|\d.*) in \d+\.\d+s\b/)
    .filter(([, text = '']) => text.split(', ').every(each => part.test(each)))
    .map(([, text = '']) => ofWords(text));
}

/** `Ran 6 tests in 0.001s`, then `OK (skipped=1)` or `FAILED (failures=2, errors=1, expected failures=1)`. */
function countUnittest(lines: readonly string[]): Counted {
  return lines.flatMap((line, i) => {
    const total = /^Ran (\d+) tests? in /.exec(line)?.[1];
    const end = lines.slice(i + 1, i + 4).find(next => /^(?:OK|FAILED|NO TESTS RAN)(?: \(.*\))?$/.test(next));
    if (total === undefined || end === undefined) return [];
    const count = (name: string) => Number(new RegExp(`[( ]${name}=(\\d+)`).exec(end)?.[1] ?? 0);
    // `( failures` would be `expected failures` as well.
    const failed = Number(/(?<!expected )failures=(\d+)/.exec(end)?.[1] ?? 0);
    return [
      countsOf({
        total: Number(total),
        failed: failed + count('errors') + count('unexpected successes'),
        skipped: count('skipped') + count('expected failures'),
      }),
    ];
  });
}

/** With -v, a line for each test that begins and one for each that ends. Without it go tells nothing of tests that pass. */
function countGo(lines: readonly string[], cut: boolean): Counted {
  const ended = (how: string) => lines.filter(line => line.trimStart().startsWith(`--- ${how}: `)).length;
  const total = lines.filter(line => /^=== RUN {3}/.test(line)).length;
  if (total === 0) return cut && ended('PASS') > 0 ? 'unknown' : [];
  const skipped = ended('SKIP');
  return cut ? 'unknown' : [countsOf({ total, failed: total - ended('PASS') - skipped, skipped })];
}

/** One line for each test binary: `test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …` */
function countCargo(lines: readonly string[], cut: boolean): Counted {
  const line = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored; (\d+) measured; (\d+) filtered out/;
  const found = matches(lines, line).map(match => {
    const [passed = 0, failed = 0, ignored = 0, measured = 0, filtered = 0] = match.slice(1).map(Number);
    const skipped = ignored + filtered;
    return countsOf({ total: passed + failed + measured + skipped, failed, skipped });
  });
  return cut && found.length > 0 ? 'unknown' : found;
}

/** The total of each module: `Tests run: 5, Failures: 0, Errors: 0, Skipped: 1`. The lines of classes go on with a time. */
function countMaven(lines: readonly string[], cut: boolean): Counted {
  const line = /^(?:\[\w+\] )?Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)(?:, Flakes: \d+)?$/;
  const found = matches(lines, line).map(match => {
    const [total = 0, failures = 0, errors = 0, skipped = 0] = match.slice(1).map(Number);
    return countsOf({ total, failed: failures + errors, skipped });
  });
  return cut && found.length > 0 && lines.some(each => each.includes('Reactor Summary')) ? 'unknown' : found;
}

/** `5 tests completed, 1 failed, 1 skipped`: gradle says it only when one failed. */
function countGradle(lines: readonly string[]): Counted {
  return matches(lines, /^(\d+) tests? completed(?:, (\d+) failed)?(?:, (\d+) skipped)?$/).map(([, total, failed, skipped]) =>
    countsOf({ total: Number(total), failed: Number(failed ?? 0), skipped: Number(skipped ?? 0) }),
  );
}

/** Counts with the word behind each: `1 failed, 2 passed`. The total is the sum where none is given. */
function ofWords(text: string): TestCounts {
  const found = new Map([...text.matchAll(/(\d+) ([a-z]+)/g)].map(([, count, word = '']) => [word, Number(count)]));
  const sum = (...words: string[]) => words.reduce((total, word) => total + (found.get(word) ?? 0), 0);
  const passed = sum('passed', 'passing', 'xpassed');
  const failed = sum('failed', 'failing', 'error', 'errors');
  const skipped = sum('skipped', 'pending', 'todo', 'xfailed', 'expected', 'deselected');
  return countsOf({ total: found.get('total') ?? passed + failed + skipped, failed, skipped });
}

/** The line at `start` and those right after it that match. */
function linesFrom(lines: readonly string[], start: number, pattern: RegExp): readonly string[] {
  const rest = lines.slice(start, start + blockLinesMax);
  const end = rest.findIndex(line => !pattern.test(line));
  return end < 0 ? rest : rest.slice(0, end);
}

const blockLinesMax = 10;

function matches(lines: readonly string[], pattern: RegExp): RegExpExecArray[] {
  return lines.map(line => pattern.exec(line)).filter(match => match !== null);
}
