import { parse } from 'jsonc-parser';
import type { ParseError } from 'jsonc-parser';

/** Where a text stops being JSON, and what it should have been. */
export interface JsonFault {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly reason: string;
  /** The line, with a caret below the place. */
  readonly excerpt: string;
}

/** A text without what no database keeps: NUL, and half a character, whose place U+FFFD takes. */
export function storable(text: string): string {
  return text.replaceAll('\0', '').replace(/\p{Surrogate}/gu, '\ufffd');
}

/** The first fault of a text that JSON.parse has refused. */
export function locateJsonFault(text: string): JsonFault {
  if (text.trim() === '') return { line: 1, column: 1, reason: 'it is empty', excerpt: '' };
  const { error = 0, offset = 0 } = firstError(text) ?? {};
  const before = text.slice(0, offset).split(/\r\n|\r|\n/);
  const column = (before.at(-1) ?? '').length + 1;
  const lineText = (before.at(-1) ?? '') + (/^[^\r\n]*/.exec(text.slice(offset))?.[0] ?? '');
  return {
    line: before.length,
    column,
    reason: reasons[error] ?? 'this is not valid JSON',
    excerpt: withCaret(lineText, column),
  };
}

function firstError(text: string): ParseError | undefined {
  const errors: ParseError[] = [];
  try {
    parse(text, errors, { disallowComments: true, allowTrailingComma: false });
  } catch (error) {
    // It goes down into what is nested, and the stack ends before a hundred thousand brackets do.
    if (!(error instanceof RangeError)) throw error;
  }
  return errors[0];
}

/** A long line is shown around its fault. */
function withCaret(line: string, column: number): string {
  const start = Math.max(0, column - 1 - excerptLengthMax / 2);
  const shown = line.slice(start, start + excerptLengthMax).replaceAll('\t', ' ');
  return `  ${shown}\n  ${' '.repeat(column - 1 - start)}^`;
}

const excerptLengthMax = 100;

/** By the numbers of jsonc-parser's ParseErrorCode. */
const reasons: Readonly<Record<number, string>> = {
  1: 'this is no value of JSON',
  2: 'this is no number of JSON',
  3: 'the name of a property, in double quotes, is expected here',
  4: 'a value is expected here',
  5: 'a colon is expected here',
  6: 'a comma is expected here',
  7: 'a closing } is expected here',
  8: 'a closing ] is expected here',
  9: 'the end is expected here',
  10: 'JSON has no comments',
  11: 'this comment does not end, and JSON has none',
  12: 'this string does not end',
  13: 'this number does not end',
  14: 'this is no \\u sequence',
  15: 'this is no escape of JSON',
  16: 'this character may not stand in a string',
};
