import ts from 'typescript';
import type { Finding, Source } from './finding.ts';

export interface Parsed {
  readonly source: Source;
  readonly tree: ts.SourceFile;
}

export function parse(source: Source): Parsed {
  return { source, tree: ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ES2023, true) };
}

/** Every node of the file in reading order. */
export function* nodes(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, child => void children.push(child));
  for (const child of children) yield* nodes(child);
}

export function lineOf({ tree }: Parsed, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

export function finding(parsed: Parsed, node: ts.Node, says: string): Finding {
  return { path: parsed.source.path, line: lineOf(parsed, node), says };
}

/** Whether the line of `node` or the one above it holds a comment `// <word>: a reason`. */
export function hasReason(parsed: Parsed, node: ts.Node, word: string): boolean {
  const lines = parsed.source.text.split('\n');
  const line = lineOf(parsed, node);
  const pattern = new RegExp(`// ${word}: \\S`);
  return [lines[line - 2], lines[line - 1]].some(text => text !== undefined && pattern.test(text));
}
