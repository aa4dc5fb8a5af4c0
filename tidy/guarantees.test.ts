import { describe, expect, it } from 'vitest';
import { checkGuarantees } from './checks/docs/guarantees.ts';
import { show } from './checks/finding.ts';
import { sources } from './repo.ts';

describe('guarantees', () => {
  const tests = [{ path: 'test/kill.test.ts', text: "test('kill -9 of the server: it\\'s back', …" }];
  const at = (...lines: string[]) => show(checkGuarantees({ path: 'docs/guarantees.md', text: lines.join('\n') }, tests));

  it.each([
    [['## Nothing is lost', 'We promise.'], 'docs/guarantees.md:1 "Nothing is lost" names no test that shows it'],
    [['## A', '[it](../test/gone.test.ts "kill")'], 'docs/guarantees.md:2 there is no test/gone.test.ts'],
    [
      ['## A', '[it](../test/kill.test.ts "kill -9 of the cat")'],
      'docs/guarantees.md:2 test/kill.test.ts has no test "kill -9 of the cat"',
    ],
    [['## A', '[it](../test/kill.test.ts "")'], 'docs/guarantees.md:2 test/kill.test.ts has no test ""'],
  ])('refuses %s', (lines, says) => {
    expect(at(...lines)).toEqual([says]);
  });

  it('lets what is shown', () => {
    expect(at('## A', `[it](../test/kill.test.ts "kill -9 of the server: it's back")`)).toEqual([]);
  });

  it('finds nothing here', () => {
    const [document] = sources(/^docs\/guarantees[.]md$/);
    expect(document === undefined ? [] : show(checkGuarantees(document, sources(/[.](test|prove)[.]ts$/)))).toEqual([]);
  });
});
