import { describe, expect, it } from 'vitest';
import { jsonLines } from './json-lines.ts';

function read(chunks: readonly (string | Buffer)[], isUnwanted?: (beginning: string) => boolean) {
  const seen: unknown[] = [];
  const reader = jsonLines({
    onObject: value => seen.push(value),
    onText: line => seen.push(line),
    ...(isUnwanted ? { isUnwanted } : {}),
  });
  for (const chunk of chunks) reader(Buffer.from(chunk));
  reader();
  return seen;
}

describe('JSON lines', () => {
  it('are read wherever they are cut, with words between them and without an end', () => {
    const text = '{"a":"é\\n"}\nwarning: x\n\r\n[1]\n{"b":2}';
    const expected = [{ a: 'é\n' }, 'warning: x', '[1]', { b: 2 }];
    expect(read([text])).toEqual(expected);
    const bytes = Buffer.from(text);
    expect(read([...bytes].map(byte => Buffer.from([byte])))).toEqual(expected);
  });

  it('are left out where nobody wants them, and where they are longer than anything that matters', () => {
    expect(read(['{"type":"piece","x":1}\n{"type":"whole"}\n'], beginning => beginning.startsWith('{"type":"piece"'))).toEqual([
      { type: 'whole' },
    ]);
    const long = Buffer.alloc(1_048_576, 0x61);
    expect(read([...Array.from({ length: 17 }, () => long), '\n{"b":2}\n'])).toEqual([{ b: 2 }]);
  });
});
