import { describe, expect, it } from 'vitest';
import type { CheckEvidence } from '../../../../contract/reviews.ts';
import { judge, judgeBase } from './verdict.ts';

function evidence(more: Partial<CheckEvidence> = {}): CheckEvidence {
  const green = { outcome: 'exited', exit_code: 0, duration_ms: 1_000, flaky: false, tests: null, output_tail: '' } as const;
  return { name: 'npm test', command: ['npm', 'test'], ...green, ...more };
}

describe('judge', () => {
  it('passes what ended with 0, and says so', () => {
    expect(judge([evidence()])).toEqual({ verdict: 'passed', reason: '`npm test` ended with exit code 0' });
    expect(judge([evidence(), evidence()])).toEqual({ verdict: 'passed', reason: 'all 2 checks ended with exit code 0' });
    expect(judge([evidence({ flaky: true }), evidence()]).reason).toBe(
      'all 2 checks ended with exit code 0; red at first and green when run again: `npm test`',
    );
  });

  it.each([
    [{ exit_code: 1 }, '`npm test` ended with exit code 1'],
    [{ exit_code: null }, '`npm test` ended without an exit code'],
    [{ exit_code: 127 }, '`npm test` ended with exit code 127: a program that it calls does not exist in the sandbox'],
    [{ outcome: 'signaled', exit_code: null }, '`npm test` was ended by a signal'],
    [{ outcome: 'timeout', exit_code: null, duration_ms: 1_800_012 }, '`npm test` did not end within 1800 s'],
    [{ outcome: 'timeout', exit_code: 0, duration_ms: 1_000 }, '`npm test` did not end within 1 s'],
    [{ outcome: 'output_limit', exit_code: null }, '`npm test` was stopped: it printed more than is allowed'],
    [{ outcome: 'workspace_full', exit_code: null }, '`npm test` was stopped: the workspace grew larger than is allowed'],
    [{ outcome: 'out_of_memory', exit_code: 137 }, '`npm test` was stopped: it ran out of memory'],
    [
      { outcome: 'not_found', exit_code: null, command: ['mvn', '-P', 'a b'] },
      "`mvn -P 'a b'` cannot be run: the program `mvn` does not exist in the sandbox",
    ],
  ] as const)('sends back %j', (red, reason) => {
    const checks = [evidence(), evidence({ ...red, command: 'command' in red ? [...red.command] : ['npm', 'test'] })];
    expect(judge(checks)).toEqual({ verdict: 'needs_work', reason });
    expect(judgeBase(checks)).toEqual({ verdict: 'failed', failures: [reason] });
  });

  it('names every red check', () => {
    const checks = [evidence({ exit_code: 1 }), evidence({ exit_code: 2, command: ['make'] })];
    expect(judge(checks).reason).toBe('`npm test` ended with exit code 1; `make` ended with exit code 2');
    expect(judgeBase([evidence()])).toEqual({ verdict: 'passed', failures: [] });
  });

  it('judges nothing without a check', () => {
    expect(() => judge([])).toThrow('a review needs a check');
    expect(() => judgeBase([])).toThrow('a review needs a check');
  });
});
