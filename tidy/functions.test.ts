import { describe, expect, it } from 'vitest';
import { isTest, show } from './checks/finding.ts';
import { checkFunctionLength } from './checks/functions.ts';
import { sources } from './repo.ts';

const body = (count: number) => `{\n${'  step();\n'.repeat(count)}}`;
const short = Array.from({ length: 18 }, (_, i) => `function f${i}() ${body(1)}`).join('\n');

describe('length of functions', () => {
  it('refuses a function longer than a screen', () => {
    const text = `${short}\nexport const long = () => ${body(69)};`;
    expect(show(checkFunctionLength([{ path: 'src/a.ts', text }]))).toEqual(['src/a.ts:55 long has 71 lines, at most 70']);
  });

  it('counts neither comments nor blank lines', () => {
    const text = `${short}\nfunction told() {\n${'  // why\n\n  /* and\n  how */\n'.repeat(30)}}`;
    expect(checkFunctionLength([{ path: 'src/a.ts', text }])).toEqual([]);
  });

  it('refuses a house in which every tenth function is long', () => {
    const text = `${short}\nfunction a() ${body(23)}\nfunction b() ${body(23)}\nfunction c() ${body(40)}`;
    expect(show(checkFunctionLength([{ path: 'src/a.ts', text }]))).toEqual([
      'src/a.ts:105 85 % of 21 functions are under 25 lines, at least 90 % must be; the longest: src/a.ts:105 c 42, src/a.ts:55 a 25, src/a.ts:80 b 25',
    ]);
  });

  it('finds nothing here', () => {
    expect(
      show(checkFunctionLength(sources(/^(src|contract|tidy|bench|dashboard)\/.*[.]tsx?$/).filter(({ path }) => !isTest(path)))),
    ).toEqual([]);
  });
});
