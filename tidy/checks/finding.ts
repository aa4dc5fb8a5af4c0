/** A file of the repository as text; `path` is relative to the root, with slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** What a check has against a line. `says` names the rule and what to do instead. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly says: string;
}

/** One finding per line that matches; the first match of a line is enough to mend it. */
export function findLines(source: Source, pattern: RegExp, says: string): Finding[] {
  return source.text.split('\n').flatMap((text, i) => (pattern.test(text) ? [{ path: source.path, line: i + 1, says }] : []));
}

/** As an editor opens it. */
export function show(findings: readonly Finding[]): string[] {
  return findings.map(({ path, line, says }) => `${path}:${line} ${says}`);
}

export function isTest(path: string): boolean {
  return /[.](test|prove)[.]ts$/.test(path) || path.startsWith('test/');
}
