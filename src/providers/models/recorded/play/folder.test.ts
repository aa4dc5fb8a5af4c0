import { expect, test } from 'vitest';
import { workingFolder } from './folder.ts';

test.each([
  ['codex', '<environment_context>\n  <cwd>/work</cwd>\n'],
  ['claude', 'Here is what you work in:\nWorking directory: /work\nIs directory a git repo: Yes'],
  ['pi', 'Current working directory: /work'],
  ['qwen', "My operating system is: linux\nI'm currently working in the directory: /work\nHere is the folder structure"],
])('%s says where it works', (_, words) => {
  expect(workingFolder(JSON.stringify({ messages: [{ role: 'user', content: words }] }))).toBe('/work');
});

test('who says nothing works nowhere', () => {
  expect(workingFolder(JSON.stringify({ messages: [{ role: 'user', content: 'The directory of a firm' }] }))).toBeNull();
});
