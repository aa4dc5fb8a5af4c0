import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { testCounts } from '../../../../contract/reviews.ts';
import { countTests } from './tests.ts';

// Joined here, so that this file may be checked for it too.
const MARK = ['TO', 'DO'].join('');

/** The ends of real outputs, unless it says otherwise. */
const samples: readonly (readonly [runner: string, output: string, counts: readonly number[] | null])[] = [
  [
    'node:test, spec',
    `▶ sum
  ✔ adds (0.43ms)
  ✖ fails (0.84ms)
  ﹣ waits (0.104665ms) # SKIP
  ✔ later (0.094891ms) # ${MARK}
✖ sum (2.773278ms)
✔ alone (0.090905ms)
ℹ tests 5
ℹ suites 1
ℹ pass 2
ℹ fail 1
ℹ cancelled 0
ℹ skipped 1
ℹ todo 1
ℹ duration_ms 94.982963

✖ failing tests:
`,
    [5, 2, 1, 2],
  ],
  [
    'node:test, TAP',
    `TAP version 13
# Subtest: sum
    # Subtest: adds
    ok 1 - adds
    not ok 2 - fails
    ok 3 - waits # SKIP
    ok 4 - later # ${MARK}
    1..4
not ok 1 - sum
  ---
  error: '1 subtest failed'
  ...
# Subtest: alone
ok 2 - alone
1..2
# tests 5
# suites 1
# pass 2
# fail 1
# cancelled 0
# skipped 1
# todo 1
# duration_ms 95.213896
`,
    [5, 2, 1, 2],
  ],
  [
    'tape',
    `TAP version 13
# sum
ok 1 should be strictly equal
not ok 2 one is two
  ---
    operator: equal
  ...
# b
ok 3 fine
# d
ok 4 not here # SKIP
# e
not ok 5 x # ${MARK}
  ---
    operator: fail
  ...

1..5
# tests 5
# pass  4
# fail  1

`,
    [5, 2, 1, 2],
  ],
  [
    'tape, green',
    'TAP version 13\n# sum\nok 1 should be strictly equal\n# b\nok 2 fine\n\n1..2\n# tests 2\n# pass  2\n\n# ok\n',
    [2, 2, 0, 0],
  ],
  [
    'mocha',
    `
  sum
    ✔ adds
    1) fails
    - skipped
    - pending


  1 passing (3ms)
  2 pending
  1 failing

  1) sum
       fails:
`,
    [4, 1, 1, 2],
  ],
  [
    'mocha, TAP',
    'ok 1 sum adds\nnot ok 2 sum fails\n  1 == 2\nok 3 sum skipped # SKIP -\nok 4 sum pending # SKIP -\n# tests 2\n# pass 1\n# fail 1\n1..4\n',
    [4, 1, 1, 2],
  ],
  [
    'jest',
    `Test Suites: 1 failed, 1 passed, 2 total
Tests:       1 failed, 1 skipped, 1 todo, 2 passed, 5 total
Snapshots:   0 total
Time:        0.349 s
`,
    [5, 2, 1, 2],
  ],
  [
    'vitest, in colours',
    `
\u001b[2m Test Files \u001b[22m \u001b[1m\u001b[31m1 failed\u001b[39m\u001b[22m\u001b[2m | \u001b[22m\u001b[1m\u001b[32m1 passed\u001b[39m\u001b[22m\u001b[90m (2)\u001b[39m
\u001b[2m      Tests \u001b[22m \u001b[1m\u001b[31m1 failed\u001b[39m\u001b[22m\u001b[2m | \u001b[22m\u001b[1m\u001b[32m2 passed\u001b[39m\u001b[22m\u001b[2m | \u001b[22m\u001b[33m1 skipped\u001b[39m\u001b[2m | \u001b[22m\u001b[90m1 todo\u001b[39m\u001b[90m (5)\u001b[39m
\u001b[2m   Start at \u001b[22m 13:22:50
`,
    [5, 2, 1, 2],
  ],
  ['ava', '\n  ✔ adds\n  ✔ b\n  ─\n\n  2 tests passed\n', [2, 2, 0, 0]],
  ['ava, with the rest', '  ─\n\n  1 test passed\n  1 known failure\n  1 test skipped\n  1 test todo\n', [4, 1, 0, 3]],
  ['ava, red', '  ─\n\n  1 test failed\n  1 known failure\n  1 test skipped\n  1 test todo\n', null],
  [
    'ava, TAP',
    `TAP version 13
ok 1 - s # SKIP
not ok 2 - later # ${MARK}
ok 3 - adds
not ok 4 - fails
  ---
    message: ''
  ...
ok 5 - known

1..5
# tests 4
# pass 2
# skip 1
# fail 2
`,
    [5, 2, 1, 2],
  ],
  [
    'node-tap',
    `Asserts:  3 pass  1 fail  1 skip  1 todo  4 of 6 complete
Suites:   1 pass  1 fail  0 skip          2 of 2 complete

# No coverage generated
# { total: 6, pass: 3, fail: 1, todo: 1, skip: 1 }
# time=2009.988ms
`,
    [6, 3, 1, 2],
  ],
  [
    'node-tap, TAP',
    'not ok 1 - t/a.test.js # time=9ms\n# Subtest: t/b.test.js\n    ok 1 - ok\n    1..1\nok 2 - t/b.test.js # time=4.791ms\n\n1..2\n# { total: 6, pass: 3, fail: 1, todo: 1, skip: 1 }\n',
    [6, 3, 1, 2],
  ],
  [
    'node-tap, terse, which draws its end twice',
    '# { total: 2, pass: 2 }\n# time=1713.053ms\n\u001b[2K\u001b[1A\u001b[G\n# { total: 2, pass: 2 }\n# time=1713.053ms\n',
    [2, 2, 0, 0],
  ],
  ['bare TAP', '1..3\nok 1\nnot ok 2 - b\nok 3 # skip no network\n', [3, 1, 1, 1]],
  [
    'jasmine',
    'Randomized with seed 79625\nStarted\nF.**\n\n4 specs, 1 failure, 2 pending specs\nFinished in 0.005 seconds\n',
    [4, 1, 1, 2],
  ],
  ['pytest', '============== 3 failed, 2 passed, 1 skipped, 1 xfailed in 0.60s ===============\n', [7, 2, 3, 2]],
  ['pytest -q', '3 failed, 2 passed, 1 skipped, 1 xfailed, 2 subtests passed in 0.57s\n', [7, 2, 3, 2]],
  ['pytest, long', '=========== 5 passed, 2 deselected, 3 warnings in 65.30s (0:01:05) ============\n', [7, 5, 0, 2]],
  ['pytest, nothing', '============================ no tests ran in 0.01s =============================\n', [0, 0, 0, 0]],
  [
    'unittest',
    '.sEF\n----------------------------------------------------------------------\nRan 6 tests in 0.001s\n\nFAILED (failures=2, errors=1, skipped=1, expected failures=1)\n',
    [6, 1, 3, 2],
  ],
  ['unittest, green', '.s\n----------\nRan 2 tests in 0.000s\n\nOK (skipped=1)\n', [2, 1, 0, 1]],
  ['unittest, only expected failures', 'Ran 2 tests in 0.000s\n\nOK (expected failures=1)\n', [2, 1, 0, 1]],
  [
    'cargo',
    `running 2 tests
test tests::i ... ignored
test tests::a ... ok

test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/it.rs (target/debug/deps/it-a69063779ff8c574)

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.08s
`,
    [4, 2, 1, 1],
  ],
  // The three below are written after the formats of their tools.
  [
    'go test -v',
    '=== RUN   TestA\n=== RUN   TestA/one\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/one (0.00s)\n=== RUN   TestB\n--- FAIL: TestB (0.00s)\n=== RUN   TestC\n--- SKIP: TestC (0.00s)\n=== RUN   TestD\npanic: x\n',
    [5, 2, 2, 1],
  ],
  [
    'maven',
    `[INFO] Tests run: 1, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.04 s -- in OtherTest
[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 1, Time elapsed: 0.05 s <<< FAILURE! -- in SumTest
[INFO]
[INFO] Results:
[INFO]
[ERROR] Tests run: 4, Failures: 1, Errors: 0, Skipped: 1
`,
    [4, 2, 1, 1],
  ],
  ['gradle', '5 tests completed, 1 failed, 1 skipped\n\nFAILURE: Build failed with an exception.\n', [5, 3, 1, 1]],
  ['go test', 'ok  \texample.org/a\t0.003s\n?   \texample.org/b\t[no test files]\n', null],
  ['make', 'cc -o t t.c\n./t\nall good\n', null],
  ['nothing', '', null],
];

describe('countTests', () => {
  it.each(samples)('reads %s', (_, output, counts) => {
    const [total, passed, failed, skipped] = counts ?? [];
    expect(countTests(output)).toEqual(counts === null ? null : { total, passed, failed, skipped });
  });

  it.each(samples)('reads %s behind Windows line ends and under the words of npm', (_, output, counts) => {
    const text = `> a@1.0.0 test\n> runner\n\n${output}\nnpm error Lifecycle script failed\n`;
    expect(countTests(text.replaceAll('\n', '\r\n'))?.total).toBe(counts?.[0]);
  });

  it('sums the runs of several runners', () => {
    const jest = 'Tests:       1 failed, 2 passed, 3 total\n';
    expect(countTests(`${jest}Ran 2 tests in 0.000s\n\nOK (skipped=1)\n1..1\nok 1\n# tests 1\n# pass 1\n${jest}`)).toEqual({
      total: 9,
      passed: 6,
      failed: 2,
      skipped: 1,
    });
  });

  it('says nothing of a cut output where each line counts, and reads a summary at its end', () => {
    const cargo = 'test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n';
    expect(countTests(cargo, { cut: true })).toBeNull();
    expect(countTests('=== RUN   TestA\n--- PASS: TestA (0.00s)\n', { cut: true })).toBeNull();
    expect(countTests('ok 8\nok 9\n1..9\n', { cut: true })).toBeNull();
    expect(countTests('ok 8\nnot ok 9\n1..9\n# tests 9\n# pass 8\n# fail 1\n', { cut: true })?.total).toBe(9);
    const module = '[INFO] Tests run: 4, Failures: 0, Errors: 0, Skipped: 0\n';
    expect(countTests(module, { cut: true })?.total).toBe(4);
    expect(countTests(`${module}[INFO] Reactor Summary for all 1:\n`, { cut: true })).toBeNull();
  });

  it('believes no count that no project has', () => {
    expect(countTests(`Ran ${'9'.repeat(400)} tests in 0.1s\n\nOK\n`)).toBeNull();
  });

  it('takes no prose for a count', () => {
    expect(countTests('there are 5 tests, 1 passes\nTests: see below\nRan 3 tests in a row\n2 files in 0.1s\n')).toBeNull();
  });

  test('the parts always add up, whatever is printed', () => {
    const line = fc.oneof(fc.string(), fc.constantFrom(...samples.flatMap(([, output]) => output.split('\n'))));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), fc.boolean(), (lines, cut) => {
        const counts = countTests(lines.join('\n'), { cut });
        if (counts === null) return;
        expect(testCounts.safeParse(counts).success).toBe(true);
        expect(counts.passed + counts.failed + counts.skipped).toBe(counts.total);
        expect(Math.min(...Object.values(counts))).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });
});
