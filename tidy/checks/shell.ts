import ts from 'typescript';
import type { Finding, Source } from './finding.ts';
import { finding, hasReason, nodes, parse } from './syntax.ts';

const SHELL = /^(.*\/)?(ba|da|z)?sh$/;
const SAYS = 'a shell reads data as code: pass argv, or say on the line above why it must be one: `// shell: why`';

/** Commands as strings: `sh -c`, exec and execSync of node:child_process, and the option `shell`. */
export function checkShell(sources: readonly Source[]): Finding[] {
  return sources.flatMap(source => {
    const parsed = parse(source);
    const found = [...nodes(parsed.tree)].filter(node => isShellArgv(node) || isExecImport(node) || isShellOption(node));
    return found.filter(node => !hasReason(parsed, node, 'shell')).map(node => finding(parsed, node, SAYS));
  });
}

/** `sh` followed by `-c` (or `-lc`, `-ec`) in a list of arguments, be it an array or a call. */
function isShellArgv(node: ts.Node): boolean {
  if (!ts.isStringLiteral(node) || !/^-[a-z]*c$/.test(node.text)) return false;
  const list = ts.isArrayLiteralExpression(node.parent) ? [...node.parent.elements] : [];
  const before = list.slice(0, list.indexOf(node));
  const called = ts.isCallExpression(node.parent.parent) ? node.parent.parent.arguments : [];
  const isShell = (item: ts.Node) => ts.isStringLiteral(item) && SHELL.test(item.text);
  return [...before, ...called].some(isShell);
}

function isExecImport(node: ts.Node): boolean {
  if (!ts.isImportSpecifier(node) || !['exec', 'execSync'].includes((node.propertyName ?? node.name).text)) return false;
  const { moduleSpecifier } = node.parent.parent.parent;
  return ts.isStringLiteral(moduleSpecifier) && moduleSpecifier.text === 'node:child_process';
}

function isShellOption(node: ts.Node): boolean {
  return ts.isPropertyAssignment(node) && node.name.getText() === 'shell' && node.initializer.kind !== ts.SyntaxKind.FalseKeyword;
}
