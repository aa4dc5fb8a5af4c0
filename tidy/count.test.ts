import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './repo.ts';

const green = {
  numPassedTests: 2,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  testResults: [{ status: 'passed', assertionResults: [{ status: 'passed' }] }],
};
const red = { ...green, numFailedTests: 1, testResults: [{ status: 'failed', assertionResults: [{ status: 'failed' }] }] };
const unloadable = { ...green, numPassedTests: 0, testResults: [{ status: 'failed', assertionResults: [] }] };

describe('the count at the end of bin/ci', () => {
  function count(isRed: 'yes' | 'no', reports: readonly object[]): { line: string; status: number | null } {
    const here = mkdtempSync(join(tmpdir(), 'skep-count-'));
    for (const [i, report] of reports.entries()) writeFileSync(join(here, `${i}.json`), JSON.stringify(report));
    const { stdout, status } = spawnSync(process.execPath, [join(root, 'tidy/count.mjs'), isRed, '3', here], {
      encoding: 'utf8',
    });
    rmSync(here, { recursive: true });
    return { line: stdout, status };
  }

  it('sums the reports and what was skipped beside them', () => {
    expect(count('no', [green, green])).toEqual({ line: '4 passed, 0 failed, 7 skipped\n', status: 0 });
  });

  it('is red for a failed test, for a file that cannot be loaded and for a step without tests', () => {
    expect(count('yes', [green, red])).toEqual({ line: '4 passed, 1 failed, 7 skipped\n', status: 1 });
    expect(count('no', [unloadable])).toEqual({ line: '0 passed, 1 failed, 5 skipped\n', status: 1 });
    expect(count('yes', [])).toEqual({ line: '0 passed, 1 failed, 3 skipped\n', status: 1 });
  });
});
