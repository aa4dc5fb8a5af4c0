import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkMarks, checkWords } from './checks/words.ts';
import { sources } from './repo.ts';

const at = (path: string, text: string) => show(checkWords([{ path, text }]));

describe('words', () => {
  it.each([
    ['process.env', `const home = process.env['HOME'];`],
    ['Date.now', 'const at = Date.now();'],
    ['Date.now', 'schedule({ now: Date.now });'],
    ['performance.now', 'const at = performance.now();'],
    ['process.hrtime', 'const at = process.hrtime.bigint();'],
    ['new Date()', 'const at = new Date();'],
    ['setTimeout', 'setTimeout(() => {}, 1);'],
    ['setInterval', 'setInterval(() => {}, 1);'],
    ['Math.random', 'const dice = Math.random();'],
    ['console', 'console.log(1);'],
    ['node:timers/promises', `import { setTimeout as sleep } from 'node:timers/promises';`],
    ['node:process', `import { env } from 'node:process';`],
  ])('refuses %s: %s', (word, text) => {
    expect(at('src/a.ts', text)).toEqual([
      expect.stringMatching(new RegExp(`^src/a.ts:1 ${word.replaceAll(/[.()/]/g, '[$&]')}: use `)),
    ]);
  });

  it.each([
    ['src/a.ts', 'const at = new Date(row.at).toISOString(); // Date.now'],
    ['src/a.ts', 'clock.setTimeout; const { setTimeout } = fake; log({ console: 1 });'],
    ['src/config.ts', `process.env['HOME']`],
    ['src/kernel/clock.ts', 'Date.now()'],
    ['bench/main.ts', 'console.log(performance.now())'],
    ['dashboard/live.ts', 'setTimeout(connect, 1);'],
  ])('lets %s say: %s', (path, text) => {
    expect(at(path, text)).toEqual([]);
  });

  it('finds nothing here', () => {
    expect(show(checkWords(sources(/[.](ts|tsx|mts)$/)))).toEqual([]);
  });
});

describe('marks of unfinished work', () => {
  it.each([
    '// TODO later',
    '/* FIXME */',
    '// XXX',
    '// @ts-ignore',
    '// oxlint-disable-next-line no-console',
    `it.only('a', () => {});`,
    `test.skip('a', () => {});`,
    `describe.skip('a', () => {});`,
  ])('refuses %s', text => {
    expect(checkMarks([{ path: 'src/a.ts', text }])).toHaveLength(1);
  });

  it.each([
    '// oxlint-disable-next-line no-console -- this is the printer',
    `// skipped: needs root\nit.skip('a', () => {});`,
    `it.skipIf(!isRoot)('a', () => {});`,
  ])('lets stand %s', text => {
    expect(checkMarks([{ path: 'src/a.ts', text }])).toEqual([]);
  });

  it('finds none here', () => {
    // This file holds the examples.
    const code = sources(/[.](ts|tsx|mts|mjs|cjs|sql|json)$|^bin\//).filter(({ path }) => path !== 'tidy/words.test.ts');
    expect(show(checkMarks(code))).toEqual([]);
  });
});
