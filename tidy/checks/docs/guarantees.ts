import { posix } from 'node:path';
import type { Finding, Source } from '../finding.ts';

/** A link to a test, with the title of the test: `[words](../test/x.test.ts "its title")`. */
const PROOF = /\]\(([^)\s]+[.](?:test|prove)[.]ts)\s+"([^"]*)"\)/g;

/**
 * Each guarantee of a document, a heading of the second level, names the tests that show it, and each of them is there. What follows
 * another heading of the first level is no guarantee.
 */
export function checkGuarantees(document: Source, tests: readonly Source[]): Finding[] {
  return sectionsOf(document).flatMap(({ title, line, proofs }) => {
    if (proofs.length === 0) return [{ path: document.path, line, says: `"${title}" names no test that shows it` }];
    return proofs.flatMap(proof => missing(document.path, proof, tests));
  });
}

interface Proof {
  readonly line: number;
  readonly file: string;
  readonly test: string;
}

interface Section {
  readonly title: string;
  readonly line: number;
  readonly proofs: Proof[];
}

function sectionsOf({ text }: Source): Section[] {
  const sections: Section[] = [];
  for (const [i, words] of text.split('\n').entries()) {
    const line = i + 1;
    if (sections.length > 0 && words.startsWith('# ')) return sections;
    if (words.startsWith('## ')) sections.push({ title: words.slice(3), line, proofs: [] });
    for (const [, file = '', test = ''] of words.matchAll(PROOF)) sections.at(-1)?.proofs.push({ line, file, test });
  }
  return sections;
}

function missing(path: string, { line, file, test }: Proof, tests: readonly Source[]): Finding[] {
  const to = posix.join(posix.dirname(path), file);
  const source = tests.find(each => each.path === to);
  if (source === undefined) return [{ path, line, says: `there is no ${to}` }];
  // As it stands in the file: quotes may be escaped there.
  const isThere = test !== '' && source.text.replaceAll("\\'", "'").includes(test);
  return isThere ? [] : [{ path, line, says: `${to} has no test "${test}"` }];
}
