import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const guide = readFileSync(join(root, 'docs/guides/bring-your-own-agent.md'), 'utf8');

/** Behind a comment with the path of a file stands that file. */
const shown = [...guide.matchAll(/<!-- (\S+) -->\n```\w+\n([^]*?)```\n/g)];

it('shows three agents', () => {
  expect(shown.map(([, path]) => path)).toEqual(['first.sh', 'agent.mjs', 'acp.mjs'].map(name => `demo/own-agent/${name}`));
});

it.each(shown.map(([, path = '', text = '']) => ({ path, text })))(
  'shows $path as it is, in forty lines at most',
  ({ path, text }) => {
    expect(text).toBe(readFileSync(join(root, path), 'utf8'));
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
  },
);
