import { describe, expect, it } from 'vitest';
import { type CheckEvidence, feedback } from '../../../../contract/reviews.ts';
import { feedbackOf } from './feedback.ts';

const green: CheckEvidence = {
  name: 'npm test',
  command: ['npm', 'test'],
  outcome: 'exited',
  exit_code: 0,
  duration_ms: 1_000,
  flaky: false,
  tests: null,
  output_tail: 'fine\n',
};
const red: CheckEvidence = { ...green, exit_code: 1, output_tail: '\u001b[31mnot ok 1\u001b[39m\r\n\u0007  why\n' };

describe('feedbackOf', () => {
  it('tells of each red check how it ended and what it printed last', () => {
    const lint = { ...green, name: 'lint', command: ['make', 'lint'] };
    const told = feedbackOf({
      round: 2,
      checks: [lint, { ...red, tests: { total: 5, passed: 3, failed: 1, skipped: 1 } }],
    });
    expect(told.text).toBe(
      [
        'Review round 2: the work needs more work, a check is red.',
        '',
        '`npm test` ended with exit code 1. Of 5 tests 1 failed and 1 were skipped. The end of what it printed:',
        '',
        '    not ok 1',
        '      why',
      ].join('\n'),
    );
    expect(told.checks.map(check => check.output_tail)).toEqual(['', 'not ok 1\n  why']);
    expect(feedback.parse(told)).toEqual(told);
  });

  it('tells why a person sent green work back', () => {
    const flags = [{ kind: 'tests' as const, path: 'test/a.js', what: '`test/a.js` was deleted, a test that was there before' }];
    expect(feedbackOf({ round: 1, checks: [green], rejection: { reason: ' Keep the test.\n', flags } }).text).toBe(
      [
        'Review round 1: the checks are green, and a person sent the work back.',
        '',
        "The person's reason: Keep the test.",
        '',
        'What the person was asked to look at:',
        '- `test/a.js` was deleted, a test that was there before',
      ].join('\n'),
    );
    expect(feedbackOf({ round: 1, checks: [], rejection: { reason: '', flags: [] } }).text).toContain('none was given');
  });

  it('gives whole lines of the end, at most 4,000 characters', () => {
    const lines = Array.from({ length: 2_000 }, (_, i) => `line ${i}`);
    const tail = feedbackOf({ round: 1, checks: [{ ...red, output_tail: lines.join('\n') }] }).checks[0]?.output_tail ?? '';
    expect(tail.length).toBeGreaterThan(3_900);
    expect(tail.length).toBeLessThanOrEqual(4_000);
    expect(tail).toMatch(/^line \d+\n/);
    expect(tail.endsWith('\nline 1999')).toBe(true);
    const long = feedbackOf({ round: 1, checks: [{ ...red, output_tail: `${'🐝'.repeat(3_000)}x` }] });
    expect(long.checks[0]?.output_tail).toBe(`${'🐝'.repeat(1_999)}x`);
    expect(long.text).toMatch(/\n\n {4}🐝+x$/u);
  });

  it('stays below 100,000 characters with the most that can be red', () => {
    const flags = Array.from({ length: 51 }, () => ({ kind: 'tests' as const, path: null, what: 'w'.repeat(9_000) }));
    const checks = Array.from({ length: 20 }, () => ({ ...red, output_tail: 'x\n'.repeat(8_000) }));
    const { text } = feedbackOf({ round: 1, checks, rejection: { reason: 'r'.repeat(90_000), flags } });
    expect(text.length).toBeLessThan(100_000);
  });

  it('says when a red check printed nothing', () => {
    expect(feedbackOf({ round: 1, checks: [{ ...red, output_tail: ' \n' }] }).text).toContain('It printed nothing.');
  });
});
