import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { containmentText } from './generate/containment.ts';
import { root } from './repo.ts';

test('docs/sandbox-security.md has the table of test/containment: run npm run generate', () => {
  const text = readFileSync(join(root, 'docs/sandbox-security.md'), 'utf8');
  expect(text.split('\n')).toEqual(containmentText().split('\n'));
});
