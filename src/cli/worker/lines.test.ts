import { describe, expect, it } from 'vitest';
import { endText } from './lines.ts';

describe('the end of a run', () => {
  it('says what a parked one waits for', () => {
    const halt = { kind: 'budget', message: 'The budget is spent' } as const;
    expect(endText({ kind: 'parked', result: { summary: '' }, halt })).toBe('The budget is spent');
  });

  it('is shown without what could steer the terminal', () => {
    const result = { summary: 'done\u001b]52;c;eA\u0007\nclaimed', branch: 'x\u001b[31m', head: 'a'.repeat(40) };
    expect(endText({ kind: 'submitted', result })).toBe('done ]52;c;eA claimed on x [31m at aaaaaaaaaaaa');
  });
});
