import { describe, expect, it } from 'vitest';
import { proposedExpectation } from './propose.ts';

describe('what the next run is expected to put out', () => {
  it.each([
    ['the last line that says something', 'a\n# tests 2\n# pass 1\n# fail 1\n# cancelled 0\n\n', '# cancelled 0'],
    ['not how long it took', '# fail 0\n# duration_ms 55.31\n', '# fail 0'],
    [
      'not where an agent found it',
      'Chunk ID: b78e26\nWall time: 0.01 seconds\nProcess exited with code 0\nOutput:\nok 1\n',
      'ok 1',
    ],
    ['what of a line is the same each time', 'Tests passed in 1.2s (2 files)\n', 'Tests passed in'],
    ['rather a whole line', 'Built a\nDone in 12 ms, all of it\n', 'Built a'],
    ['without the folder of one run', 'wrote /tmp/x-123/report.txt\n', 'wrote'],
    ['without the id of a commit', '[main 3f2a9c1] Add durations\n', '] Add durations'],
    ['without a date', '2026-11-21T10:00:00Z started the server\n', 'started the server'],
  ])('is %s', (_what, output, proposed) => {
    expect(proposedExpectation(output)).toBe(proposed);
    expect(output).toContain(proposed);
  });

  it.each(['', 'Process exited with code 0\nOutput:\n', '\n \n', '12.5 ms\n', '----\n'])(
    'is nothing where nothing is said: %j',
    output => {
      expect(proposedExpectation(output)).toBeUndefined();
    },
  );

  it('is short', () => {
    expect(proposedExpectation(`${'word '.repeat(100)}\n`)?.length).toBeLessThanOrEqual(120);
  });
});
