import { describe, expect, it } from 'vitest';
import { newestLine } from './outputs.ts';

describe('the newest line of an output', () => {
  it.each([
    ['one\ntwo\n', 'two'],
    ['one\ntwo', 'two'],
    ['one\n\n  \n', 'one'],
    ['10 %\r20 %\r', '20 %'],
    ['\u001b[31mred\u001b[0m \u001b]0;title\u0007', 'red  ]0;title'],
    ['\u001b[2J\u001b[H', ''],
    ['', ''],
  ])('of %j is %j', (text, line) => {
    expect(newestLine(text)).toBe(line);
  });
});
