import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { specCard } from '../../contract/spec-card.ts';
import { temporaryFolder } from '../harness/worker.ts';
import { honest, learner, liar, lies, vainLies } from './agents.ts';
import type { Lie } from './agents.ts';
import { git } from './git.ts';
import { sampleNames, sampleRepository } from './repositories.ts';
import type { SampleRepository } from './repositories.ts';
import { act, check } from './run.ts';
import { feature, rivals, sampleCard } from './tickets.ts';

const testsIn = (output: string) => Number(/^(?:# tests|Ran) +(\d+)/m.exec(output)?.[1] ?? 0) || null;
const judge = (sample: SampleRepository) => sample.checks.map(argv => check(sample.folder, argv));

describe('samples', () => {
  it.each(sampleNames)('%s runs its own tests', name => {
    const sample = sampleRepository(name);
    const results = judge(sample);
    expect(results.map(({ status }) => status === 0)).toEqual(sample.checks.map(() => sample.green));
    expect(testsIn(results[0]?.output ?? '')).toBe(sample.tests);
    expect(git(sample.folder, 'status', '--porcelain', '--untracked-files=no')).toBe('');
    expect(sampleRepository(name).commit).toBe(sample.commit);
  });

  it.each(sampleNames)('every feature of %s can be done, leaves the checks as they were, and is held by its test', name => {
    const sample = sampleRepository(name);
    const card = specCard.parse(sampleCard(name));
    for (const { description } of card.features) {
      expect(act(honest, { folder: sample.folder, description }).status).toBe(0);
      git(sample.folder, 'add', '--all');
      git(sample.folder, 'commit', '--quiet', '--message=a feature');
    }
    expect(judge(sample).every(({ status }) => (status === 0) === sample.green)).toBe(true);
    if (!sample.green) return;
    // What the last feature brought is needed by a test: without it the checks are red.
    const brought = git(sample.folder, 'diff', '--name-only', '--diff-filter=A', sample.commit).split('\n');
    for (const path of brought.filter(path => !/test/.test(path))) rmSync(join(sample.folder, path));
    expect(judge(sample).some(({ status }) => status !== 0)).toBe(true);
  });
});

describe('agents', () => {
  it.each(Object.entries(lies))('the lie %s works on %s', (lie, name) => {
    const sample = sampleRepository(name);
    expect(act(liar(lie as Lie), sample).status).toBe(0);
    expect(git(sample.folder, 'status', '--porcelain')).not.toBe('');
    expect(judge(sample).map(({ status }) => status)).toEqual([0]);
  });

  it.each(vainLies)('the lie %s stays red', lie => {
    const sample = sampleRepository('deep-equal');
    expect(act(liar(lie), sample).status).toBe(0);
    expect(judge(sample).map(({ status }) => status)).not.toEqual([0]);
  });

  it('the learner mends from the assertion that failed, and from nothing else', () => {
    const sample = sampleRepository('deep-equal');
    act(learner, sample);
    const [red] = judge(sample);
    expect(red?.status).not.toBe(0);
    expect(act(learner, { ...sample, feedback: 'npm test ended with 1' }).status).not.toBe(0);
    expect(act(learner, { ...sample, feedback: red?.output ?? '' }).status).toBe(0);
    expect(judge(sample).map(({ status }) => status)).toEqual([0]);
  });

  it('two rivals meet in a conflict, which is resolved by keeping both', () => {
    const { folder } = sampleRepository('xtend');
    const [left, right] = specCard.parse(rivals('README.md')).features;
    for (const [branch, ticket] of [
      ['left', left],
      ['right', right],
    ] as const) {
      git(folder, 'checkout', '--quiet', '-b', branch, 'main');
      act(honest, { folder, description: ticket?.description ?? '' });
      git(folder, 'commit', '--quiet', '--all', `--message=${branch}`);
    }
    expect(() => git(folder, '-c', 'merge.conflictStyle=diff3', 'merge', '--quiet', 'left')).toThrow(/merge/);
    expect(git(folder, 'diff', '--name-only', '--diff-filter=U')).toBe('README.md');
    act(honest, { folder, conflict: true });
    expect(git(folder, 'diff', '--check')).toBe('');
    expect(git(folder, 'show', ':2:README.md')).toMatch(/^right bank/);
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toMatch(/^right bank\nleft bank\n\n/);
  });

  it('does its ticket a second time without harm', () => {
    const folder = temporaryFolder();
    const { description = '' } = feature('A list', {
      'write a/list': 'one\ntwo',
      'append a/list': 'three',
      'line 2 a/list': '2',
    });
    for (const _ of [1, 2]) expect(act(honest, { folder, description }).status).toBe(0);
    expect(readFileSync(join(folder, 'a/list'), 'utf8')).toBe('one\n2\n\nthree\n');
  });

  it('says when a ticket has nothing for it', () => {
    expect(act(honest, { folder: temporaryFolder(), description: 'Please.' }).status).not.toBe(0);
  });
});
