import ts from 'typescript';
import type { Finding, Source } from './finding.ts';
import { lineOf, nodes, parse } from './syntax.ts';

const LINES_MAX = 70;
const SHORT_LINES = 25;
const SHORT_SHARE_MIN = 0.9;

interface Measured {
  readonly path: string;
  readonly line: number;
  readonly name: string;
  /** Without blank lines and lines of comment, as oxlint counts. */
  readonly lines: number;
}

/** No function longer than a screen, and nine of ten much shorter. */
export function checkFunctionLength(sources: readonly Source[]): Finding[] {
  const all = sources.flatMap(measure);
  const long = all.filter(({ lines }) => lines > LINES_MAX);
  const findings = long.map(({ path, line, name, lines }) => ({
    path,
    line,
    says: `${name} has ${lines} lines, at most ${LINES_MAX}`,
  }));
  return [...findings, ...checkShare(all)];
}

function checkShare(all: readonly Measured[]): Finding[] {
  const longer = all.filter(({ lines }) => lines >= SHORT_LINES).sort((a, b) => b.lines - a.lines);
  if (all.length === 0 || 1 - longer.length / all.length >= SHORT_SHARE_MIN) return [];
  const share = Math.floor((1 - longer.length / all.length) * 100);
  const [first] = longer;
  const longest = longer.slice(0, 5).map(({ path, line, name, lines }) => `${path}:${line} ${name} ${lines}`);
  const says = `${share} % of ${all.length} functions are under ${SHORT_LINES} lines, at least ${SHORT_SHARE_MIN * 100} % must be; the longest: ${longest.join(', ')}`;
  return [{ path: first?.path ?? '', line: first?.line ?? 0, says }];
}

function measure(source: Source): Measured[] {
  const parsed = parse(source);
  const counted = linesOfCode(source.text);
  return [...nodes(parsed.tree)].filter(hasBlock).map(node => {
    const from = lineOf(parsed, node);
    const to = parsed.tree.getLineAndCharacterOfPosition(node.end).line + 1;
    return { path: source.path, line: from, name: nameOf(node), lines: counted.slice(from - 1, to).filter(Boolean).length };
  });
}

/** `x => x.id` is an expression; a function here is something with statements. */
function hasBlock(node: ts.Node): node is ts.FunctionLikeDeclaration & { body: ts.Block } {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined && ts.isBlock(node.body);
}

function nameOf(node: ts.FunctionLikeDeclaration): string {
  if (node.name) return node.name.getText();
  const owner = node.parent;
  return (ts.isVariableDeclaration(owner) || ts.isPropertyAssignment(owner)) && owner.name ? owner.name.getText() : 'a function';
}

function linesOfCode(text: string): boolean[] {
  let inComment = false;
  return text.split('\n').map(raw => {
    const line = raw.trim();
    const isComment = inComment || line.startsWith('//') || line.startsWith('/*');
    if (line.startsWith('/*')) inComment = true;
    if (line.includes('*/')) inComment = false;
    return line !== '' && !isComment;
  });
}
