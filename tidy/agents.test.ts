import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { installedKinds, packages } from '../src/providers/agents/install/packages.ts';
import { seenAgents } from '../test/proofs/seen.ts';
import { agentsText } from './generate/agents.ts';
import { root } from './repo.ts';

test('docs/agents.md has the table of what the proofs saw: run npm run generate', () => {
  const text = readFileSync(join(root, 'docs/agents.md'), 'utf8');
  expect(text.split('\n')).toEqual(agentsText(text).split('\n'));
});

test('what was seen of each agent was seen at the version that is installed: run npm run prove -- agent', () => {
  const seen = seenAgents();
  const versions = Object.fromEntries(installedKinds.map(kind => [kind, seen[kind]?.version]));
  expect(versions).toEqual(Object.fromEntries(installedKinds.map(kind => [kind, packages[kind].version])));
});
