import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isEars } from './ears.ts';

test.each([
  'THE SYSTEM SHALL keep the items',
  'The system shall keep the items.',
  'WHEN an item is added, THE SYSTEM SHALL store it',
  'WHILE offline THE SYSTEM SHALL queue changes',
  'IF the file is missing, THEN THE SYSTEM SHALL say so',
  'WHERE a theme is set,\n  THE SYSTEM SHALL apply it',
  'WHILE offline, WHEN an item is added, THE SYSTEM SHALL queue it',
])('is EARS: %s', statement => expect(isEars(statement)).toBe(true));

test.each([
  '',
  'Items are kept',
  'THE SYSTEM SHALL',
  'THE SYSTEM SHALL  ',
  'THE SYSTEM SHALL …',
  'THE SYSTEM SHOULD keep the items',
  'Users want that THE SYSTEM SHALL keep the items',
  'WHEN, THE SYSTEM SHALL keep the items',
  'IF THEN THE SYSTEM SHALL keep the items',
  'WHENEVER it rains, THE SYSTEM SHALL keep the items',
])('is not: %s', statement => expect(isEars(statement)).toBe(false));

const words = fc.stringMatching(/^[a-z]{1,8}( [a-z]{1,8}){0,4}$/).filter(text => text !== 'then');

test('every condition of the form is taken, and no sentence without the core', () => {
  fc.assert(
    fc.property(fc.constantFrom('WHEN', 'WHILE', 'IF', 'WHERE'), words, words, (keyword, condition, act) => {
      expect(isEars(`${keyword} ${condition}, THE SYSTEM SHALL ${act}`)).toBe(true);
      expect(isEars(`${keyword} ${condition}, it will ${act}`)).toBe(false);
      expect(isEars(`ALWAYS ${condition}, THE SYSTEM SHALL ${act}`)).toBe(false);
    }),
  );
});

test('a condition without words is none, however long', () => {
  expect(isEars(`WHEN ${' ,'.repeat(100_000)} THE SYSTEM SHALL x`)).toBe(false);
});
