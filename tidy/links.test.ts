import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkLinks } from './checks/docs/links.ts';
import { paths, sources } from './repo.ts';

describe('links', () => {
  const there = ['README.md', 'docs/flow.md', 'src/flow.ts'];
  const at = (text: string) => show(checkLinks([{ path: 'docs/flow.md', text: `# The flow\n${text}` }], there));

  it.each([
    ['[a](gone.md)', 'gone.md: there is no docs/gone.md'],
    ['![a](../img/a.png "title")', '../img/a.png: there is no img/a.png'],
    ['[a]: ../gone.md', '../gone.md: there is no gone.md'],
    ['[a](#gone)', '#gone: there is no such heading in docs/flow.md'],
  ])('refuses %s', (text, says) => {
    expect(at(text)).toEqual([`docs/flow.md:2 ${says}`]);
  });

  it.each([
    '[a](../src/flow.ts)',
    '[a](../src/)',
    '[a](../README.md)',
    '[a](#the-flow)',
    '[a](https://example.org/x)',
    '`[a](gone.md)`',
    '```\n[a](gone.md)\n```',
  ])('lets %s', text => {
    expect(at(text)).toEqual([]);
  });

  it('finds nothing here', () => {
    expect(show(checkLinks(sources(/[.]md$/), paths))).toEqual([]);
  });
});
