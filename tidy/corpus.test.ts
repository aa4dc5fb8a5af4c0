import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkCorpus, CORPUS_LOCK } from './checks/locked.ts';
import { paths, read, sizes } from './repo.ts';

const kept = paths.filter(path => path.startsWith('test/replay/corpus/'));
const log = { path: 'test/replay/corpus/0.1.0/plain.jsonl', text: '{}\n' };

describe('the logs that are kept', () => {
  it('are locked when they are added, and never change nor go', () => {
    const [unlocked = ''] = show(checkCorpus([log], ''));
    const line = /append "([^"]+)"/.exec(unlocked)?.[1] ?? '';
    expect(line).toMatch(/^0[.]1[.]0\/plain[.]jsonl [0-9a-f]{64}$/);
    expect(checkCorpus([log], `# name sha256\n${line}\n`)).toEqual([]);
    expect(show(checkCorpus([{ ...log, text: '{} \n' }], line))[0]).toContain('has changed after it was locked');
    expect(show(checkCorpus([], line))).toEqual([
      `${CORPUS_LOCK}:0 0.1.0/plain.jsonl is locked and gone: servers have such logs, bring it back`,
    ]);
  });

  it('are as they were locked here, and of a size that can be kept for ever', () => {
    expect(kept.length).toBeGreaterThan(0);
    const here = kept.map(path => ({ path, text: read(path) }));
    expect(show(checkCorpus(here, read(CORPUS_LOCK)))).toEqual([]);
    const bytes = sizes().filter(({ path }) => kept.includes(path));
    expect(bytes.reduce((sum, each) => sum + each.bytes, 0)).toBeLessThan(1_500_000);
  });
});
