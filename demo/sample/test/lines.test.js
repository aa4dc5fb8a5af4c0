import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLines } from '../src/lines.js';

test('lines keep their number in the file', () => {
  assert.deepEqual(readLines('\n# March\n\na b\n  c\n'), [
    { number: 4, text: 'a b' },
    { number: 5, text: 'c' },
  ]);
});

test('a comment may stand behind the work', () => {
  assert.deepEqual(readLines('a b # later\r\nC#\r\n'), [
    { number: 1, text: 'a b' },
    { number: 2, text: 'C#' },
  ]);
});
